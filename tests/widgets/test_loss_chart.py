"""What the loss chart draws, without a browser."""

from __future__ import annotations

import math

import ipywidgets.widgets.widget as widget_module
import numpy as np
import pytest
import torch
from ipywidgets import BoundedFloatText, Checkbox, FloatSlider
from traitlets import TraitError

from mnist_widgets import Evaluator, TrainingSession
from mnist_widgets.widgets import LossChart
from mnist_widgets.widgets.loss_chart import MAX_POINTS
from mnist_widgets.widgets.messages import format_loss
from mnist_widgets.widgets.publishing import publisher


@pytest.fixture
def chart():
    chart = LossChart()
    yield chart
    chart.close()


def lines_of(chart):
    """Return positions and values of the line of all batches and of the smoothed one."""
    publisher.flush()
    return chart._batches.x, chart._batches.y


def child(chart, kind):
    return next(control for control in chart.children[3].children if isinstance(control, kind))


def test_a_hand_written_loop_draws_every_batch(chart):
    for loss in (3.0, torch.tensor(2.0, requires_grad=True), 1.0):
        chart.add_batch(loss)
    x, y = lines_of(chart)
    assert x[0].tolist() == [1, 2, 3]
    assert y[0].tolist() == [3, 2, 1]
    assert "Batch 3: loss 1.00" in chart._caption.value


def test_training_in_the_foreground_draws_the_trainers_history(chart, make_trainer, batches):
    trainer = make_trainer(callbacks=[chart], evaluator=Evaluator(batches))
    trainer.fit(2)
    _, y = lines_of(chart)
    assert y[0].tolist() == trainer.history.batch_losses
    assert chart._epoch_means.x.tolist() == [5, 10]
    assert chart._epoch_means.y.tolist() == trainer.history["train"]
    assert chart._test_losses.y.tolist() == trainer.history["test_loss"]
    assert f"Epoch 2: mean {format_loss(trainer.history['train'][-1])}" in chart._caption.value


def test_each_standstill_of_a_session_shows_what_is_true(chart, make_trainer):
    session = TrainingSession(make_trainer(callbacks=[chart]))
    for num_batches in (1, 2, 3):
        session.step(epochs=2)
        session.between_batches(lambda: None).result(10)
        assert lines_of(chart)[0].max() == num_batches
    session.close()


def test_a_reset_empties_the_chart(chart, make_trainer):
    session = TrainingSession(make_trainer(callbacks=[chart]))
    session.start(1)
    session.join(10)
    session.reset()
    session.between_batches(lambda: None).result(10)
    assert lines_of(chart)[0].size == 0
    assert chart._epoch_means.x.size == 0
    assert chart._caption.value == "No batch has been trained yet."
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


def test_thousands_of_epochs_are_thinned_out_too(chart):
    for epoch in range(3000):
        chart._history.add_batch(1.0)
        chart._history.add_epoch(1.0 + epoch, {"test_loss": 2.0 + epoch})
    chart.add_batch(1.0)
    lines_of(chart)
    for mark in (chart._epoch_means, chart._test_losses):
        assert len(mark.x) <= MAX_POINTS
        assert mark.x[-1] == 3000


def test_long_trainings_are_thinned_out_and_keep_their_spikes(chart):
    losses = np.random.default_rng(0).uniform(0.1, 0.2, 20_000)
    losses[12_345] = 9.0
    chart._history.batch_losses.extend(losses)
    chart.add_batch(0.15)
    x, y = lines_of(chart)
    assert x.shape == y.shape
    assert x.shape[1] <= MAX_POINTS
    assert y[0].max() == 9.0
    assert x[0][-1] == 20_001
    assert x.dtype == np.float64


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_left_out_and_named(chart, bad):
    for loss in (2.0, bad):
        chart.add_batch(loss)
    x, y = lines_of(chart)
    assert set(x[0]) == {1}
    assert set(y[0]) == {2}
    assert np.isfinite([chart._linear_scale.max, chart._batch_scale.max]).all()
    assert f"loss {bad}" in chart._caption.value


def test_nothing_but_nan_draws_nothing(chart):
    chart.add_batch(math.nan)
    assert lines_of(chart)[0].size == 0


def test_the_log_scale_leaves_out_what_has_no_logarithm(chart):
    chart.log_scale = True
    for loss in (1.0, 0.0, 0.1):
        chart.add_batch(loss)
    assert lines_of(chart)[1][0].tolist() == [1.0, 0.1]
    assert chart._log_scale.min > 0


def test_the_log_switch_changes_marks_and_axis_together(chart):
    chart.add_batch(1.0)
    checkbox = child(chart, Checkbox)
    for is_log in (True, False):
        checkbox.value = is_log
        publisher.flush()
        scale = chart._log_scale if is_log else chart._linear_scale
        assert all(mark.scales["y"] is scale for mark in chart._figure.marks)
        assert chart._figure.axes[1].scale is scale


def test_slider_and_field_change_the_smoothed_line_only(chart):
    for loss in (1.0, 0.0, 1.0, 0.0):
        chart.add_batch(loss)
    before = lines_of(chart)[1]
    child(chart, FloatSlider).value = 0.5
    after = lines_of(chart)[1]
    assert child(chart, BoundedFloatText).value == chart.smoothing == 0.5
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[1], after[1])


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_a_wrong_smoothing_is_named(smoothing):
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
