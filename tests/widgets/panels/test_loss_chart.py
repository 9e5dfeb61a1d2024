"""What the loss chart draws, without a browser."""

from __future__ import annotations

import math
import tracemalloc

import ipywidgets.widgets.widget as widget_module
import numpy as np
import pytest
import torch
from ipywidgets import Checkbox, Dropdown
from timeouts import TIMEOUT_S
from traitlets import TraitError

from mnist_widgets import Evaluator, History, TrainingSession
from mnist_widgets.rendering.captions import format_loss
from mnist_widgets.rendering.curves.quantities import ACCURACY
from mnist_widgets.rendering.curves.series import MAX_POINTS
from mnist_widgets.widgets import LossChart
from mnist_widgets.widgets.parts.number_field import NumberField
from mnist_widgets.widgets.parts.runs.earlier_runs import MAX_POINTS as EARLIER_POINTS
from mnist_widgets.widgets.redraws import scheduler


@pytest.fixture
def chart():
    chart = LossChart()
    yield chart
    chart.close()


def drawn(chart, mark):
    """Return the batch numbers and the losses of a mark's points, read off the chart's axes."""
    scheduler.flush()
    return read_off(chart._x_axis, mark.x), read_off(chart._y_axis, mark.y)


def read_off(axis, places):
    low, high, is_log = axis.range
    shares = (places - axis.place(np.array(low))) / np.ptp(axis.place(np.array([low, high])))
    values = low * (high / low) ** shares if is_log else low + (high - low) * shares
    return values.round(9)


def lines_of(chart):
    """Return positions and values of the line of all batches and of the smoothed one."""
    return drawn(chart, chart._batches)


def child(chart, kind):
    return next(control for control in chart._controls.children if isinstance(control, kind))


def caption(chart):
    scheduler.flush()
    return chart._footer.caption


def test_a_hand_written_loop_draws_every_batch(chart):
    for loss in (3.0, torch.tensor(2.0, requires_grad=True), 1.0):
        chart.add_batch(loss)
    x, y = lines_of(chart)
    assert x[0].tolist() == [1, 2, 3]
    assert y[0].tolist() == [3, 2, 1]
    assert "Batch 3: loss 1.00" in caption(chart)


def test_training_in_the_foreground_draws_the_trainers_history(chart, make_trainer, batches):
    trainer = make_trainer(callbacks=[chart], evaluator=Evaluator(batches))
    trainer.fit(2)
    history = trainer.history
    assert lines_of(chart)[1][0] == pytest.approx(history.batch_losses)
    positions, means = drawn(chart, chart._epochs["mean"])
    assert positions.tolist() == [5, 10]
    assert means == pytest.approx(history["train"])
    assert drawn(chart, chart._epochs["test"])[1] == pytest.approx(history["test_loss"])
    loss = format_loss(history["test_loss"][-1])
    assert f"Test loss {loss} after epoch 2" in caption(chart)


def test_each_standstill_of_a_session_shows_what_is_true(chart, make_trainer):
    session = TrainingSession(make_trainer(callbacks=[chart]))
    for num_batches in (1, 2, 3):
        session.step(epochs=2)
        session.between_batches(lambda: None).result(TIMEOUT_S)
        assert lines_of(chart)[0].max() == num_batches
    session.close()


def test_a_reset_empties_the_chart(chart, make_trainer):
    session = TrainingSession(make_trainer(callbacks=[chart]))
    session.start(1)
    session.join(TIMEOUT_S)
    session.reset()
    session.between_batches(lambda: None).result(TIMEOUT_S)
    assert lines_of(chart)[0].size == 0
    assert chart._epochs["mean"].x.size == 0
    assert caption(chart) == "No batch has been trained yet."
    session.close()


def test_clearing_the_chart_leaves_the_trainers_history_alone(chart, make_trainer):
    trainer = make_trainer(callbacks=[chart])
    trainer.fit(1)
    chart.clear()
    assert lines_of(chart)[0].size == 0
    assert len(trainer.history.batch_losses) == 5


def test_a_loop_of_your_own_after_a_trainer_begins_a_chart_of_its_own(chart, make_trainer):
    trainer = make_trainer(callbacks=[chart])
    trainer.fit(1)
    chart.add_batch(9.0)
    chart.add_epoch(9.0)
    assert len(trainer.history.batch_losses) == 5
    assert trainer.history.epoch_ends == [5]
    assert chart.history.batch_losses == [9.0]


def test_thousands_of_epochs_are_downsampled_too(chart):
    for epoch in range(3000):
        chart.history.add_batch(1.0)
        chart.history.add_epoch(1.0 + epoch, {"test_loss": 2.0 + epoch})
    chart.add_batch(1.0)
    lines_of(chart)
    for mark in (chart._epochs["mean"], chart._epochs["test"]):
        assert len(mark.x) <= MAX_POINTS
        assert drawn(chart, mark)[0][-1] == 3000


def test_long_trainings_are_downsampled_and_keep_their_spikes(chart):
    losses = np.random.default_rng(0).uniform(0.1, 0.2, 20_000)
    losses[12_345] = 9.0
    chart.history.batch_losses.extend(losses)
    chart.add_batch(0.15)
    x, y = lines_of(chart)
    assert x.shape == y.shape
    assert x.shape[1] <= MAX_POINTS
    assert y[0].max() == 9.0
    assert x[0][-1] == 20_001
    assert x.dtype == np.float64


def test_a_redraw_reads_only_the_batches_that_are_new(chart):
    chart.history.batch_losses.extend([1.0] * 200_000)
    chart.add_batch(1.0)
    scheduler.flush()
    tracemalloc.start()
    try:
        chart.add_batch(2.0)
        scheduler.flush()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines_of(chart)[1][0][-1] == 2.0
    assert peak < 8 * 200_000 / 2, "it made an array of all batches"


def test_settings_that_change_begin_the_line_anew(chart):
    for loss in (4.0, 2.0, 0.0):
        chart.add_batch(loss)
    assert lines_of(chart)[1][0].tolist() == [4, 2, 0]
    chart.log_scale = True
    assert lines_of(chart)[1][0].tolist() == [4, 2]
    chart.log_scale = False
    chart.smoothing = 0
    chart.add_batch(1.0)
    assert lines_of(chart)[1].tolist() == [[4, 2, 0, 1], [4, 2, 0, 1]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_left_out_and_named(chart, bad):
    for loss in (2.0, bad):
        chart.add_batch(loss)
    x, y = lines_of(chart)
    assert set(x[0]) == {1}
    assert set(y[0]) == {2}
    assert np.isfinite([chart._x_axis.range, chart._y_axis.range]).all()
    assert f"no number any more ({bad})" in caption(chart)


def test_nothing_but_nan_draws_nothing(chart):
    chart.add_batch(math.nan)
    assert lines_of(chart)[0].size == 0


def test_the_log_scale_leaves_out_what_has_no_logarithm(chart):
    chart.log_scale = True
    for loss in (1.0, 0.0, 0.1):
        chart.add_batch(loss)
    assert lines_of(chart)[1][0].tolist() == [1.0, 0.1]
    assert chart._y_axis.range[0] > 0


def test_the_log_switch_changes_marks_and_axis_together(chart):
    for loss in (1.0, 0.5):
        chart.add_batch(loss)
    checkbox = child(chart, Checkbox)
    for is_log in (True, False):
        checkbox.value = is_log
        assert lines_of(chart)[1][0].tolist() == [1.0, 0.5]
        assert chart._y_axis.range[2] is is_log


def test_no_scale_ever_changes(chart):
    # bqplot draws wrongly for good when one does while the page builds the chart
    scales = {scale for mark in chart._figure.marks for scale in mark.scales.values()}
    changes = []
    for scale in scales:
        scale.observe(changes.append)
    for mark in chart._figure.marks:
        mark.observe(changes.append, names="scales")
    chart.show_runs([("a", history_of(*[9.0] * 300))])
    for loss in (1.0, 500.0):
        for is_log in (True, False):
            chart.log_scale = is_log
            chart.add_batch(loss)
            scheduler.flush()
    assert not changes


def test_the_smoothing_changes_the_smoothed_line_only(chart):
    for loss in (1.0, 0.0, 1.0, 0.0):
        chart.add_batch(loss)
    before, words = lines_of(chart)[1], caption(chart)
    child(chart, NumberField).number = 0.5
    after = lines_of(chart)[1]
    assert chart.smoothing == 0.5
    assert caption(chart) == words
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[1], after[1])


def test_the_smoothing_may_be_typed_with_a_decimal_comma(chart):
    field = child(chart, NumberField)
    for text, smoothing in (("0,25", 0.25), ("0.5", 0.5), ("7", 0.99), ("much", 0.99), (",1", 0.1)):
        field.value = text
        assert chart.smoothing == smoothing, text
        assert field.value == str(smoothing), text


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_a_wrong_smoothing_is_refused(smoothing):
    with pytest.raises(TraitError, match=str(smoothing)):
        LossChart(smoothing=smoothing)


def test_a_misspelt_option_is_refused():
    with pytest.raises(TypeError, match="smothing"):
        LossChart(smothing=0.5)


def test_a_closed_chart_leaves_no_widget_behind():
    before = set(widget_module._instances)
    chart = LossChart()
    assert len(widget_module._instances) > len(before) + 10
    chart.close()
    assert set(widget_module._instances) == before


def history_of(*losses):
    history = History()
    for loss in losses:
        history.add_batch(loss)
    return history


def earlier(chart):
    """Return the mark of the earlier runs, and the key that names them."""
    scheduler.flush()
    return chart._earlier_runs.mark, chart._earlier_runs.key.value


def test_earlier_runs_lie_beside_the_present_one_and_are_named(chart):
    chart.smoothing = 0
    chart.add_batch(2.0)
    chart.show_runs([("lr <1", history_of(3, 2)), ("lr 5", history_of(4, 1, 2))], "lr 0.1")
    lines, key = earlier(chart)
    assert [
        sorted({*zip(x, y, strict=True)}) for x, y in zip(*drawn(chart, lines), strict=True)
    ] == [
        [(1, 3), (2, 2)],
        [(1, 4), (2, 1), (3, 2)],
    ]
    assert lines.colors == ["var(--mw-run-0)", "var(--mw-run-1)"]
    assert lines_of(chart)[1][0].tolist() == [2, 2]
    for name in ("lr &lt;1<", "lr 5<", "lr 0.1 (this run, smoothed)<"):
        assert name in key
    assert chart._y_axis.range[1] >= 4
    assert key.index("--mw-run-0") < key.index("lr &lt;1") < key.index("--mw-run-1")


def test_the_axes_have_room_for_the_longest_run(chart):
    chart.add_batch(1.0)
    chart.show_runs([("long", history_of(*[1.0] * 77))])
    earlier(chart)
    assert chart._x_axis.range[1] >= 77


def test_an_earlier_run_that_diverged_does_not_flatten_the_present_one(chart):
    chart.show_runs([("diverged", history_of(2.0, 1e6))])
    scheduler.flush()
    assert chart._y_axis.range[1] >= 1e5  # there is nothing else to see yet
    chart.add_batch(2.0)
    scheduler.flush()
    assert chart._y_axis.range[1] == 4
    chart.log_scale = True
    scheduler.flush()
    assert chart._y_axis.range[1] >= 1e5


def test_an_empty_list_takes_earlier_runs_away(chart):
    chart.show_runs([("a", history_of(9.0, 9.0))])
    earlier(chart)
    chart.show_runs([])
    lines, key = earlier(chart)
    assert lines.x.size == lines.y.size == 0
    assert key == ""
    assert chart._y_axis.range[1] < 9


def test_a_run_keeps_its_colour_while_others_come_and_go(chart):
    first, second, third = (history_of(1.0, value) for value in (1.0, 2.0, 2.0))
    chart.show_runs([("1", first), ("2", second)])
    earlier(chart)
    chart.show_runs([("2", second), ("3", third)])  # equal numbers, yet another run
    lines, key = earlier(chart)
    assert lines.colors == ["var(--mw-run-0)", "var(--mw-run-1)"]
    assert 'var(--mw-run-1)"/></svg>2<' in key
    assert 'var(--mw-run-0)"/></svg>3<' in key


def test_only_the_last_four_runs_are_drawn(chart):
    chart.show_runs([(f"run {number}", history_of(number, 1)) for number in range(1, 7)])
    lines, key = earlier(chart)
    assert len(lines.y) == len(set(lines.colors)) == 4
    assert "run 3<" in key
    assert "run 2<" not in key


def test_earlier_runs_are_downsampled_and_redrawn_only_when_they_change(chart):
    long = history_of(*np.random.default_rng(0).uniform(0.1, 0.2, 5000))
    chart.show_runs([("long", long)])
    lines, _ = earlier(chart)
    assert len(lines.x) <= EARLIER_POINTS + 1
    chart.add_batch(3.0)
    scheduler.flush()
    redraws = []
    lines.observe(redraws.append, names=["x", "y", "colors"])
    for loss in (3.0, 2.0):
        chart.add_batch(loss)
        scheduler.flush()
    assert not redraws
    for change in (lambda: setattr(chart, "smoothing", 0.5), lambda: chart.add_batch(30.0)):
        change()  # the latter moves the axis
        scheduler.flush()
        assert redraws
        redraws.clear()


def test_smoothing_and_log_scale_hold_for_earlier_runs_too(chart):
    chart.show_runs([("a", history_of(1.0, 0.0, math.nan, 0.5)), ("b", history_of(math.nan))])
    chart.smoothing = 0
    lines, key = earlier(chart)
    # nothing of the other run can be drawn
    assert set(drawn(chart, lines)[1]) == {1.0, 0.0, 0.5}
    chart.log_scale = True
    assert set(drawn(chart, lines)[1]) == {1.0, 0.5}
    assert "b<" in key


def test_a_single_batch_of_an_earlier_run_is_a_dot(chart):
    chart.show_runs([("a", history_of(1.0))])
    lines, _ = earlier(chart)
    assert drawn(chart, lines)[0].tolist() == [1, 1]


def test_a_redraw_sends_only_what_has_changed(chart):
    chart.history.batch_losses.extend([1.0] * 16)
    chart.history.add_epoch(1.0, {"test_loss": 1.0})
    chart.show_runs([("a", history_of(1.0, 0.5))])
    scheduler.flush()
    sent = set()
    for widget in (*chart._figure.marks, *chart._figure.axes, chart._footer, chart):
        widget.observe(lambda change: sent.add((change["owner"], change["name"])))
    chart.redraw()
    assert not sent
    chart.add_batch(1.0)
    scheduler.flush()
    lines = chart._batches
    footer = chart._footer
    assert sent == {(lines, "x"), (lines, "y"), (footer, "caption"), (footer, "topic")}


@pytest.fixture
def with_accuracies(chart):
    """Return a chart of two epochs with both accuracies."""
    for train, test in ((0.7, 0.6), (0.9, 0.65)):
        for _ in range(5):
            chart.add_batch(1.0)
        metrics = {"train_accuracy": train, "test_accuracy": test}
        chart.history.add_epoch(1.0, metrics)
    scheduler.schedule(chart.redraw)
    scheduler.flush()
    return chart


def is_choice(chart):
    scheduler.flush()
    return child(chart, Dropdown).layout.visibility == "visible"


def test_the_accuracies_take_the_place_of_the_losses_and_back(with_accuracies):
    chart = with_accuracies
    child(chart, Dropdown).value = "accuracy"
    assert drawn(chart, chart._epochs["train"])[1].tolist() == [70, 90]
    positions, accuracies = drawn(chart, chart._epochs["test"])
    assert positions.tolist() == [5, 10]
    assert accuracies.tolist() == [60, 65]
    assert lines_of(chart)[0].size == chart._epochs["mean"].x.size == 0
    assert "25.0 percentage points" in caption(chart)
    assert "25.0 percentage points" in chart.static_view().text
    assert list(chart.to_dataframe()) == ["batch", "train_accuracy", "test_accuracy"]
    chart.quantity = "loss"
    assert lines_of(chart)[1][0].tolist() == [1.0] * 10
    assert drawn(chart, chart._epochs["mean"])[1].tolist() == [1.0, 1.0]
    assert chart._epochs["train"].x.size == chart._epochs["test"].x.size == 0
    assert "loss" in chart.to_dataframe()


def test_controls_without_use_are_disabled(with_accuracies):
    options = [child(with_accuracies, kind) for kind in (NumberField, Checkbox)]
    with_accuracies.quantity = "accuracy"
    scheduler.flush()
    assert all(option.disabled for option in options)
    with_accuracies.quantity = "loss"
    scheduler.flush()
    assert not any(option.disabled for option in options)


def test_there_is_a_choice_as_soon_as_there_is_an_accuracy(chart):
    assert not is_choice(chart)
    chart.add_batch(1.0)
    chart.add_epoch(1.0, 0.5)
    assert not is_choice(chart)
    chart.history.add_epoch(1.0, {"test_accuracy": 0.5})
    chart.schedule_redraw()
    assert is_choice(chart)


def test_a_reset_keeps_the_choice(with_accuracies):
    with_accuracies.quantity = "accuracy"
    with_accuracies.clear()
    assert is_choice(with_accuracies)
    assert "No accuracy yet" in caption(with_accuracies)
    with_accuracies.quantity = "loss"
    assert not is_choice(with_accuracies)


def test_earlier_runs_are_compared_by_their_test_accuracies(with_accuracies):
    chart, other = with_accuracies, History()
    for accuracy in (0.5, 0.55):
        other.add_batch(9.0)
        other.add_epoch(9.0, {"test_accuracy": accuracy})
    chart.show_runs([("lr 5", other), ("no epoch", history_of(2.0))], "lr 0.1")
    chart.quantity = "accuracy"
    positions, accuracies = drawn(chart, chart._earlier_runs.mark)
    assert set(accuracies.ravel()) == {50, 55}
    assert set(positions.ravel()) == {1, 2}
    color = chart._earlier_runs.mark.colors
    note = ACCURACY.about_earlier  # that there are no lines of their training accuracies
    assert note in chart._earlier_runs.key.value
    chart.quantity = "loss"
    assert note not in earlier(chart)[1]
    losses = drawn(chart, chart._earlier_runs.mark)[1]
    assert losses.shape[0] == 2
    assert chart._earlier_runs.mark.colors[:1] == color
