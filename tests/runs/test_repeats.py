"""What several seeds say: medians, ranges, and whether two settings differ by more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mnist_widgets import History, RunConfig
from mnist_widgets.rendering.curves.quantities import ACCURACY, LOSS
from mnist_widgets.rendering.curves.repeat_sentences import compare_repeats, describe_range
from mnist_widgets.runs.repeats import Repeat, are_apart, choose_seeds
from mnist_widgets.runs.run_log import Run, RunLog


def make_history(accuracies, losses=None) -> History:
    history = History()
    for index, accuracy in enumerate(accuracies):
        history.add_batch(1.0)
        history.add_batch(0.5)
        loss = losses[index] if losses else 1 - accuracy
        history.add_epoch(0.75, {"test_accuracy": accuracy, "test_loss": loss})
    return history


def make_repeat(*last, num_seeds=5) -> Repeat:
    """Return a repeat of two epochs, with these test accuracies after the last one."""
    histories = tuple(make_history([0.5, accuracy]) for accuracy in last)
    return Repeat(tuple(range(num_seeds)), 2, histories)


GOOD, BETTER = (0.951, 0.953, 0.955, 0.958, 0.959), (0.954, 0.956, 0.957, 0.961, 0.962)
BEST = (0.96, 0.961, 0.962, 0.963, 0.964)


def test_the_seeds_count_up_from_that_of_the_settings():
    configs = choose_seeds(RunConfig("sgd", seed=7))
    assert [config.seed for config in configs] == [7, 8, 9, 10, 11]
    assert {config.optimizer for config in configs} == {"sgd"}
    with pytest.raises(ValueError, match="Seed must be"):
        choose_seeds(RunConfig(seed=2**31 - 3))


def test_range_and_median_are_those_of_each_epoch():
    histories = (make_history([0.1, 0.9]), make_history([0.3, 0.5]), make_history([0.2, 0.6]))
    repeat = Repeat((0, 1, 2), 2, histories)
    spread = repeat.find_spread("test_accuracy")
    assert spread.low.tolist() == [0.1, 0.5]
    assert spread.median.tolist() == [0.2, 0.6]
    assert spread.high.tolist() == [0.3, 0.9]
    assert repeat.medians["test_accuracy"] == [0.2, 0.6]
    assert repeat.medians.num_epochs == 2
    assert repeat.find_spread("f1") is None


def test_a_run_that_is_trained_on_changes_no_number_of_its_repeat():
    repeat = make_repeat(*GOOD)
    before = repeat.find_spread("test_accuracy")
    repeat.histories[-1].add_epoch(0.1, {"test_accuracy": 1.0, "test_loss": 0.0})
    after = repeat.find_spread("test_accuracy")
    assert np.array_equal(before, after)
    assert repeat.medians.num_epochs == 2


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        (GOOD, BETTER, False),
        (GOOD, BEST, True),
        (BEST, GOOD, True),
        (GOOD, (*BEST[1:], GOOD[-1]), False),  # they touch
        (GOOD, GOOD, False),
        (GOOD, BEST[:4], None),  # a seed is missing
        (GOOD, (math.nan, *BEST[1:]), False),
    ],
)
def test_settings_differ_by_more_than_their_seeds_only_if_the_ranges_lie_apart(
    first, second, answer
):
    assert are_apart(make_repeat(*first), make_repeat(*second)) is answer


def make_run(number, *last, **options) -> Run:
    repeat = make_repeat(*last)
    return Run(number, RunConfig(), repeat.histories[-1], [0.001], repeat=repeat, **options)


def test_the_verdict_names_the_ranges_and_the_better_run():
    (words,) = compare_repeats([make_run(1, *GOOD), make_run(2, *BETTER)])
    assert "95.10 to 95.90 %" in words
    assert "95.40 to 96.20 %" in words
    assert "may be luck" in words
    (words,) = compare_repeats([make_run(1, *BEST), make_run(2, *GOOD)])
    assert "each seed of run 1 is better than each seed of run 2" in words


def test_only_complete_repeats_that_are_shown_are_compared_with_the_newest():
    single = Run(1, RunConfig(), make_history([0.9]))
    assert compare_repeats([single, make_run(2, *GOOD)]) == []
    assert compare_repeats([make_run(1, *GOOD[:3]), make_run(2, *GOOD)]) == []
    assert compare_repeats([make_run(1, *GOOD, is_shown=False), make_run(2, *GOOD)]) == []
    runs = [make_run(1, *GOOD), make_run(2, *BETTER), make_run(3, *BEST)]
    assert len(compare_repeats(runs)) == 2


def test_a_range_needs_two_finished_runs():
    for repeat in (make_repeat(), make_repeat(0.9)):
        assert f"{len(repeat.histories)} of 5 seeds finished" in describe_range(repeat)
        assert "%" not in describe_range(repeat)
    assert "90.00 to 95.00 %" in describe_range(make_repeat(0.9, 0.95))


@pytest.mark.parametrize("quantity", [LOSS, ACCURACY])
def test_a_chart_has_range_words_table_and_picture_of_a_repeat(quantity):
    repeat, history = make_repeat(*GOOD), make_repeat(*GOOD).histories[-1]
    series = quantity.read_repeat(repeat)
    scale = 100 if quantity is ACCURACY else 1
    for line, values in zip(
        (series.low, series.main, series.high), repeat.find_spread(quantity.spread), strict=True
    ):
        assert line[0].tolist() == [2, 4]  # the last batches of the epochs
        assert line[1] == pytest.approx(scale * values)
    low, high = (axis_range for axis_range in quantity.read(history).choose_axes(series.lines))
    assert low.high >= 4
    assert high.low <= series.low[1].min()
    curves = quantity.read(history)
    assert quantity.draw(curves, repeat) != quantity.draw(curves)
    words = quantity.describe_all(curves, repeat)
    assert "5 seeds: median" in words
    table = quantity.tabulate_all(history, repeat)
    columns = [f"{quantity.spread} seed {seed}" for seed in range(5)]
    last = table[columns].iloc[-1].tolist()
    expected = GOOD if quantity is ACCURACY else [1 - accuracy for accuracy in GOOD]
    assert last == pytest.approx(expected)
    assert table[f"{quantity.spread} median"].iloc[-1] == pytest.approx(np.median(expected))
    assert "Seed 4" in quantity.render_table(history, 0.8, repeat).html


def test_the_gap_of_a_repeat_is_the_median_of_its_gaps():
    histories = []
    for train, test in ((0.9, 0.5), (0.8, 0.7), (0.99, 0.6)):  # gaps of 40, 10 and 39 points
        history = make_history([test])
        history["train_accuracy"] = [train]
        histories.append(history)
    run = Run(1, RunConfig(), histories[0], repeat=Repeat((0, 1, 2), 1, tuple(histories)))
    assert run.accuracy_gap == 39.0
    run.repeat.histories = ()
    assert run.accuracy_gap == 40.0  # that of the run under way


@pytest.mark.parametrize("quantity", [LOSS, ACCURACY])
def test_what_is_shown_of_one_run_beside_its_repeat_names_its_seed(quantity):
    repeat = make_repeat(*GOOD[:3])
    for history, seed in ((make_history([0.2]), 3), (repeat.histories[1], 1)):
        curves = quantity.read(history)
        assert f"Seed {seed} alone: {quantity.describe(curves)}" in quantity.describe_all(
            curves, repeat
        )
        assert f"Seed {seed} alone:" in quantity.render_table(history, 0.8, repeat).text
        table = quantity.tabulate_all(history, repeat)
        assert f"{quantity.spread} seed {seed}" in table
        assert all(
            "seed" in name or name.startswith(("batch", "epoch", quantity.spread)) for name in table
        )
        assert quantity.spread not in table
        assert table.columns.is_unique


def test_without_a_range_a_chart_is_that_of_a_single_run():
    repeat, history = make_repeat(0.9), make_repeat(0.9).histories[-1]
    curves = ACCURACY.read(history)
    assert ACCURACY.draw(curves, repeat) == ACCURACY.draw(curves)
    assert ACCURACY.describe_all(curves, repeat) == ACCURACY.describe(curves)


@pytest.fixture
def log():
    return RunLog()


def repeat_in(log, make_trainer, num_finished, num_seeds=3):
    """Train some runs of a repeat to their ends, and close it."""
    recorder, configs = log.record(), [RunConfig(seed=seed) for seed in range(num_seeds)]
    trainers = log.record_repeat(configs, lambda _: make_trainer(callbacks=[recorder]), 2)
    for _ in range(num_finished):
        trainer = next(trainers)
        trainer.restore(trainer.snapshot())  # as a session does
        trainer.fit(2)
    if num_finished == num_seeds:
        assert next(trainers, None) is None
    trainers.close()
    return trainer


def test_the_log_keeps_a_repeat_as_one_run_and_its_settings_name_the_seeds(log, make_trainer):
    trainer = repeat_in(log, make_trainer, 3)
    (run,) = log.runs
    assert run is log.current
    assert len(run.repeat.histories) == 3
    assert run.repeat.is_complete
    assert run.history is trainer.history
    assert run.to_words()["seed"] == "seeds 0 to 2"
    trainer.restore(trainer.snapshot())  # a reset ends it
    assert log.current is None
    trainer.fit(1)
    assert [each.repeat is None for each in log.runs] == [False, True]


def test_a_run_that_does_not_finish_is_kept_but_not_counted(log, make_trainer):
    repeat_in(log, make_trainer, 2)
    (run,) = log.runs
    assert len(run.repeat.histories) == 1
    assert run.history is not run.repeat.histories[0]
    repeat_in(log, make_trainer, 3)
    assert [len(each.repeat.histories) for each in log.runs] == [1, 3]
