"""The accuracies that a chart draws: points, axes, sentence, picture and numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mnist_widgets.rendering.chart_data import tabulate_accuracies
from mnist_widgets.rendering.chart_sentences import describe_accuracies
from mnist_widgets.rendering.curves.accuracy_series import AccuracySeries
from mnist_widgets.rendering.curves.axes import AxisRange
from mnist_widgets.rendering.curves.quantities import ACCURACY
from mnist_widgets.training.history import History


def history_of(test=(), train=(), batches=5):
    """Return a history with an epoch for each accuracy, of five batches each."""
    history = History()
    for epoch in range(max(len(test), len(train))):
        for _ in range(batches):
            history.add_batch(1.0)
        metrics = {}
        if len(train) > epoch:
            metrics["train_accuracy"] = train[epoch]
        if len(test) > epoch:
            metrics["test_accuracy"] = test[epoch]
        history.add_epoch(1.0, metrics)
    return history


def test_accuracies_stand_in_per_cent_where_their_epochs_end():
    series = AccuracySeries(history_of(test=[0.5, 0.75], train=[0.6, 0.9]))
    assert [points.tolist() for points in series.epochs["train"]] == [[5, 10], [60, 90]]
    assert [points.tolist() for points in series.main] == [[5, 10], [50, 75]]
    assert series.batches[0].shape == (2, 0)


def test_an_update_reads_what_was_appended():
    history = history_of(test=[0.5])
    series = AccuracySeries(history)
    history.add_epoch(1.0, {"test_accuracy": 0.7})
    series.update()
    assert series.main[1].tolist() == [50, 70]


@pytest.mark.parametrize(
    ("accuracies", "low"),
    [([0.08, 0.5], 0), ([0.74, 0.99], 70), ([0.7], 70), ([0.985, 0.99], 90), ([1.0], 90), ([], 0)],
)
def test_the_axis_ends_at_100_per_cent_and_begins_at_a_multiple_of_ten(accuracies, low):
    x_range, y_range = AccuracySeries(history_of(test=accuracies)).choose_axes()
    assert y_range == AxisRange(low, 100)
    assert x_range.high == 10
    assert {low, 100} <= set(y_range.ticks.round(9))


def test_an_earlier_run_that_failed_does_not_flatten_the_present_one():
    series = AccuracySeries(history_of(test=[0.9]))
    earlier = [(np.array([70.0]), np.array([10.0]))]
    x_range, y_range = series.choose_axes(earlier)
    assert (x_range.high, y_range.low) == (80, 80)
    assert AccuracySeries(History()).choose_axes(earlier)[1].low == 10


def test_the_sentence_names_the_gap_as_the_difference_of_the_numbers_it_shows():
    words = describe_accuracies(AccuracySeries(history_of([0.7466, 0.7474], [0.9, 0.9946])))
    assert "99.5 %" in words
    assert "74.7 %" in words
    assert "24.8 percentage points" in words
    assert "epoch 2" in words


def test_the_sentence_names_the_best_epoch_if_it_was_clearly_better():
    falling = describe_accuracies(AccuracySeries(history_of([0.7, 0.8, 0.75])))
    assert "Highest test accuracy after epoch 2, 80.0 %" in falling
    assert "Highest" not in describe_accuracies(AccuracySeries(history_of([0.7, 0.8, 0.799])))


def test_a_test_that_is_better_than_the_training_has_no_negative_gap():
    words = describe_accuracies(AccuracySeries(history_of([0.5], [0.45])))
    assert "-" not in words
    assert "5.0 percentage points higher" in words


@pytest.mark.parametrize(
    ("history", "gap"),
    [
        (History(), None),
        (history_of([0.5]), None),
        (history_of([], [0.5]), None),
        (history_of([0.5], [math.nan]), None),
        (history_of([0.5], [0.5]), 0),
    ],
)
def test_there_is_a_gap_only_between_two_numbers(history, gap):
    assert history.accuracy_gap == gap
    assert "percentage" not in describe_accuracies(AccuracySeries(history))


def test_a_metric_that_the_last_epoch_lacks_has_no_last_value():
    history = history_of(test=[0.5, 0.6], train=[0.9])
    assert history.find_last("train_accuracy") is None
    assert history.find_last("test_accuracy") == 0.6


def test_the_numbers_for_files_are_those_of_the_epochs():
    table = tabulate_accuracies(history_of([0.5, 0.6], [0.7, 0.8]))
    assert table.to_csv().splitlines() == [
        "epoch,batch,train_accuracy,test_accuracy",
        "1,5,0.7,0.5",
        "2,10,0.8,0.6",
    ]
    assert len(tabulate_accuracies(History())) == 0


def test_the_static_view_has_a_picture_or_says_that_there_is_none():
    history = history_of([0.5, 0.6], [0.7, 0.8])
    assert "<img" in ACCURACY.render(history).html
    assert describe_accuracies(AccuracySeries(history)) in ACCURACY.render(history).text
    assert "<img" not in ACCURACY.render(History()).html


def test_an_epoch_without_accuracies_does_not_hide_those_before():
    history = History()
    for metrics in (
        {},
        {"train_accuracy": 0.9, "test_accuracy": 0.8},
        {"train_accuracy": 0.95, "test_accuracy": 0.7},
        {},
    ):
        history.add_batch(1.0)
        history.add_epoch(1.0, metrics)
    assert history.accuracy_gap == 25.0
    words = describe_accuracies(AccuracySeries(history))
    assert "test accuracy 70.0 % after epoch 3: a gap of 25.0" in words
    assert "Highest test accuracy after epoch 2, 80.0 %" in words
