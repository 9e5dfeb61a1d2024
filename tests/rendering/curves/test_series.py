"""Smoothed and downsampled series, what is drawn of a history, and the axes of a chart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mnist_widgets.rendering.curves.axes import AxisRange, nice_limit
from mnist_widgets.rendering.curves.loss_series import LossSeries
from mnist_widgets.rendering.curves.series import Series, downsample, smooth_at
from mnist_widgets.training.history import History


def smooth(values, strength):
    """Return the smoothed line of a series so short that all of its points are kept."""
    series = Series(500_000, strength)
    series.extend(np.arange(1.0, len(values) + 1), values)
    return series.lines[1][1]


def test_no_smoothing_changes_nothing():
    values = np.array([3.0, 1.0, 2.0])
    assert np.array_equal(smooth(values, 0), values)


def test_smoothing_is_the_average_corrected_for_its_start():
    strength, values = 0.9, np.array([2.0, 4.0, 1.0])
    average, expected = 0.0, []
    for position, value in enumerate(values, start=1):
        average = strength * average + (1 - strength) * value
        expected.append(average / (1 - strength**position))
    assert smooth(values, strength) == pytest.approx(expected)


@pytest.mark.parametrize("strength", [0, 0.5, 0.8, 0.99])
def test_the_smoothed_loss_of_a_batch_is_that_of_the_line(strength):
    losses = np.random.default_rng(0).uniform(1, 2, size=3000)
    line = smooth(losses, strength)
    for batch in (1, 2, 50, 3000):
        assert smooth_at(batch, losses, strength) == pytest.approx(line[batch - 1], rel=1e-3)


def test_the_smoothed_loss_leaves_out_what_is_no_number():
    assert smooth_at(3, [1.0, 2.0, math.inf], 0.5) == pytest.approx(smooth([1.0, 2.0], 0.5)[1])
    assert math.isnan(smooth_at(1, [math.nan], 0.5))


def test_an_empty_series_can_be_smoothed_and_downsampled():
    assert len(smooth(np.zeros(0), 0.5)) == 0
    assert len(downsample((np.zeros(0), np.zeros(0)), 16)[0]) == 0


@pytest.mark.parametrize("strength", [-0.1, 1.0, 2.0])
def test_a_wrong_strength_is_named(strength):
    with pytest.raises(ValueError, match=str(strength)):
        smooth(np.ones(3), strength)


@pytest.mark.parametrize("num_values", [1, 999, 1000, 1001, 1500, 2001, 100_000])
def test_a_line_keeps_its_extremes_and_its_ends_within_the_limit(num_values):
    values = np.random.default_rng(0).normal(size=num_values)
    values[num_values // 3], values[num_values // 2] = -1e3, 1e3  # two spikes of one batch
    positions, kept = downsample((np.arange(1.0, num_values + 1), values), 1000)
    assert len(positions) == len(kept) <= 1000
    assert kept.min() == values.min()
    assert kept.max() == values.max()
    assert kept[-1] == values[-1]
    assert np.all(np.diff(positions) >= 0)
    assert np.array_equal(values[positions.astype(int) - 1], kept)


def test_equally_long_lines_stay_equally_long():
    positions = np.arange(5000.0)
    flat, noisy = np.ones(5000), np.random.default_rng(0).normal(size=5000)
    assert len(downsample((positions, flat))[0]) == len(downsample((positions, noisy))[0])


def test_smoothing_continues_where_it_stopped():
    values = np.random.default_rng(0).normal(size=100)
    for strength in (0, 0.5, 0.99):
        series = Series(smoothing=strength)
        for part in np.split(np.arange(100), [0, 1, 7, 60]):
            series.extend(part, values[part])
        assert series.lines[1][1] == pytest.approx(smooth(values, strength)), strength


def test_a_series_keeps_extremes_and_last_value_within_the_limit():
    generator = np.random.default_rng(0)
    for num_values in (0, 1, 2, 3, 900, 995, 996, 997, 1001, 1999, 20_001, 100_000):
        values = generator.normal(size=num_values)
        values[num_values // 3 :][:1], values[num_values // 2 :][:1] = -1e3, 1e3
        positions = np.arange(1.0, num_values + 1)
        smoothed = smooth(values, 0.9)
        series, at_once = (Series(1000, smoothing=0.9) for _ in range(2))
        for part in np.split(positions, np.sort(generator.integers(num_values + 1, size=30))):
            series.extend(part, values[part.astype(int) - 1])
        at_once.extend(positions, values)

        for x, y, line in zip(*series.lines, (values, smoothed), strict=True):
            assert len(x) == len(y) <= 1000, num_values
            assert y == pytest.approx(line[x.astype(int) - 1]), num_values
            assert np.all(np.diff(x) >= 0), num_values
            if num_values:
                assert (y.min(), y.max(), y[-1]) == pytest.approx(
                    (line.min(), line.max(), line[-1])
                ), num_values
            if num_values < 990:
                assert np.array_equal(x, positions), num_values
        for ours, others in zip(series.lines, at_once.lines, strict=True):
            assert ours == pytest.approx(others), num_values


def test_a_series_keeps_both_of_two_equal_values():
    series = Series(1000, smoothing=0)
    series.extend(np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4))
    assert series.lines[0].tolist() == [[1, 2, 3, 4]] * 2


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (2.33, 2.5), (10, 10), (118, 120), (0.31, 0.4), (1e6 + 1, 1.2e6)]
)
def test_an_axis_ends_at_a_round_number(value, end):
    assert nice_limit(value) == pytest.approx(end)


def test_the_axis_of_a_growing_series_seldom_moves():
    ends = {nice_limit(num_batches) for num_batches in range(1, 1001)}
    assert len(ends) < 40
    assert all(nice_limit(n) >= n for n in range(1, 1001))


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (2.5, [0, 0.5, 1, 1.5, 2, 2.5]),
        (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (8.0, [0, 2, 4, 6, 8]),
        (0.12, [0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12]),
    ],
)
def test_linear_ticks_are_round_and_few(high, ticks):
    assert AxisRange(0, high).ticks == pytest.approx(ticks)


def test_log_ticks_are_one_two_five_within_the_range():
    assert AxisRange(0.04, 2.4, is_log=True).ticks == pytest.approx([0.05, 0.1, 0.2, 0.5, 1, 2])


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis():
    shares = AxisRange(0.01, 100.0, is_log=True).locate(np.array([0.01, 1.0, 100.0]))
    assert shares == pytest.approx([0, 0.5, 1])


def test_an_axis_may_begin_at_or_below_a_number():
    for value in (0.0123, 1.0, 0.0999, 37.0, 1e-300):
        limit = nice_limit(value, upwards=False)
        assert value / 2 < limit <= value * (1 + 1e-9)


@pytest.fixture
def history():
    history = History()
    for loss in (4.0, math.nan, 0.0, 1.0):
        history.add_batch(loss)
    history.add_epoch(2.0, {"test_loss": 1.5})
    return history


def test_each_scale_draws_what_it_can_show(history):
    for is_log, positions in ((False, [1, 3, 4]), (True, [1, 4])):
        series = LossSeries(history, 0, is_log)
        assert series.num_batches == 4
        assert series.batches[0][0].tolist() == positions
        assert [points.tolist() for points in series.epochs["mean"]] == [[4], [2.0]]
        assert [points.tolist() for points in series.epochs["test"]] == [[4], [1.5]]


def test_an_updated_loss_series_is_that_of_the_whole_history(history):
    for settings in ((0.5, False), (0.6, True)):
        series = LossSeries(history, *settings)
        history.add_batch(3.0)
        history.add_epoch(2.5, {"test_loss": 1.0})
        series.update()
        expected = LossSeries(history, *settings)
        assert series.num_batches == len(history.batch_losses)
        assert series.batches[0].tolist() == expected.batches[0].tolist()
        assert series.batches[1] == pytest.approx(expected.batches[1])
        assert series.epochs["test"][1].tolist() == expected.epochs["test"][1].tolist()


def test_the_axes_include_earlier_runs_that_do_not_flatten_the_present_one(history):
    earlier = [(np.array([1.0, 70.0]), np.array([5.0, 1e6]))]
    x_range, y_range = LossSeries(history).choose_axes(earlier)
    assert (x_range.high, y_range) == (80, AxisRange(0, 8))
    x_range, y_range = LossSeries(History()).choose_axes()
    assert (x_range, y_range) == (AxisRange(0, 10), AxisRange(0, 1))


def test_a_logarithmic_axis_has_room_for_all_losses_and_seldom_moves():
    history, ranges = History(), []
    for batch in range(200):
        history.add_batch(2.0 * 0.98**batch)
        ranges.append(LossSeries(history, 0, True).choose_axes()[1])
        assert ranges[-1].low < min(history.batch_losses)
        assert ranges[-1].high > 2.0
    assert len(set(ranges)) < 25
