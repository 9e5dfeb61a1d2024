"""Smoothing, thinning out, and calm axes."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_widgets.curves import (
    GrowingCurve,
    Smoother,
    linear_ticks,
    log_ticks,
    round_up,
    smooth,
    thin_out,
)


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


def test_nothing_can_be_smoothed_and_thinned_out():
    assert len(smooth(np.zeros(0), 0.5)) == 0
    assert len(thin_out(np.zeros(0), np.zeros(0), 10)[0]) == 0


@pytest.mark.parametrize("strength", [-0.1, 1.0, 2.0])
def test_a_wrong_strength_is_named(strength):
    with pytest.raises(ValueError, match=str(strength)):
        smooth(np.ones(3), strength)


@pytest.mark.parametrize("num_values", [1, 999, 1000, 1001, 1500, 2001, 100_000])
def test_a_line_keeps_its_extremes_and_its_ends_within_the_limit(num_values):
    values = np.random.default_rng(0).normal(size=num_values)
    values[num_values // 3], values[num_values // 2] = -1e3, 1e3  # two spikes of one batch
    positions, kept = thin_out(np.arange(1.0, num_values + 1), values, 1000)
    assert len(positions) == len(kept) <= 1000
    assert kept.min() == values.min()
    assert kept.max() == values.max()
    assert kept[-1] == values[-1]
    assert np.all(np.diff(positions) >= 0)
    assert np.array_equal(values[positions.astype(int) - 1], kept)


def test_equally_long_lines_stay_equally_long():
    positions = np.arange(5000.0)
    flat, noisy = np.ones(5000), np.random.default_rng(0).normal(size=5000)
    assert len(thin_out(positions, flat, 1000)[0]) == len(thin_out(positions, noisy, 1000)[0])


def test_smoothing_goes_on_where_it_stopped():
    values = np.random.default_rng(0).normal(size=100)
    for strength in (0, 0.5, 0.99):
        smoother = Smoother(strength)
        parts = [smoother.extend(part) for part in np.split(values, [0, 1, 7, 60])]
        assert np.concatenate(parts) == pytest.approx(smooth(values, strength)), strength


def test_a_growing_curve_keeps_extremes_and_last_value_within_the_limit():
    generator = np.random.default_rng(0)
    for num_values in (0, 1, 2, 3, 900, 995, 996, 997, 1001, 1999, 20_001, 100_000):
        values = generator.normal(size=num_values)
        values[num_values // 3 :][:1], values[num_values // 2 :][:1] = -1e3, 1e3
        positions = np.arange(1.0, num_values + 1)
        smoothed = smooth(values, 0.9)
        curve, at_once = (GrowingCurve(1000, smoothing=0.9) for _ in range(2))
        for part in np.split(positions, np.sort(generator.integers(num_values + 1, size=30))):
            curve.extend(part, values[part.astype(int) - 1])
        at_once.extend(positions, values)

        for x, y, line in zip(*curve.points, (values, smoothed), strict=True):
            assert len(x) == len(y) <= 1000, num_values
            assert y == pytest.approx(line[x.astype(int) - 1]), num_values
            assert np.all(np.diff(x) >= 0), num_values
            if num_values:
                assert (y.min(), y.max(), y[-1]) == pytest.approx(
                    (line.min(), line.max(), line[-1])
                ), num_values
            if num_values < 990:
                assert np.array_equal(x, positions), num_values
        for ours, others in zip(curve.points, at_once.points, strict=True):
            assert ours == pytest.approx(others), num_values


def test_a_growing_curve_keeps_both_of_two_equal_values():
    curve = GrowingCurve(1000, smoothing=0)
    curve.extend(np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4))
    assert curve.points[0].tolist() == [[1, 2, 3, 4]] * 2


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (2.33, 2.5), (10, 10), (118, 120), (0.31, 0.4), (1e6 + 1, 1.2e6)]
)
def test_an_axis_ends_at_a_round_number(value, end):
    assert round_up(value) == pytest.approx(end)


def test_an_axis_that_follows_a_growing_row_seldom_moves():
    ends = {round_up(num_batches) for num_batches in range(1, 1001)}
    assert len(ends) < 40
    assert all(round_up(n) >= n for n in range(1, 1001))


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
    assert linear_ticks(0, high) == pytest.approx(ticks)


def test_log_ticks_are_one_two_five_within_the_range():
    assert log_ticks(0.04, 2.4) == pytest.approx([0.05, 0.1, 0.2, 0.5, 1, 2])
