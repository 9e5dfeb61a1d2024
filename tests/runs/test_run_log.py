"""Runs are recorded, named by what differs, shown, hidden and deleted."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from mnist_widgets import Evaluator, History, RunConfig
from mnist_widgets.runs.run_log import (
    MAX_EARLIER_SHOWN,
    MAX_RUNS,
    Run,
    RunLog,
    describe_runs,
    name_runs,
)

SLOW, FAST = RunConfig(learning_rate=0.001), RunConfig(learning_rate=0.1)
LINEAR = replace(SLOW, network="linear")


@pytest.fixture
def log():
    return RunLog()


@pytest.fixture
def make_recorded(log, make_trainer):
    """Return a function that makes a trainer of given settings whose runs the log records."""

    def make(config=SLOW, **options):
        trainer = make_trainer(callbacks=[log.record()], **options)
        trainer.config = config
        return trainer

    return make


@pytest.fixture
def train(make_recorded):
    """Return a function that trains one run of two epochs and returns its trainer."""

    def train(config=SLOW, **options):
        trainer = make_recorded(config, **options)
        trainer.optimizer.param_groups[0]["lr"] = config.learning_rate
        trainer.fit(2)
        return trainer

    return train


def shown(log):
    return [run.number for run in log.earlier_shown]


@pytest.mark.parametrize(
    ("configs", "labels"),
    [
        ([], []),
        ([SLOW], ["run 1"]),
        ([SLOW, SLOW], ["run 1", "run 2"]),
        ([SLOW, FAST], ["lr 0.001", "lr 0.1"]),
        (
            [SLOW, RunConfig("sgd", 0.1), RunConfig("sgd", 0.001)],
            ["Adam, lr 0.001", "SGD, lr 0.1", "SGD, lr 0.001"],
        ),
        (
            [LINEAR, replace(LINEAR, hidden_units=7, dropout=0.5), SLOW],
            ["linear network, run 1", "linear network, run 2", "one hidden layer"],
        ),
        ([SLOW, FAST, FAST], ["lr 0.001", "lr 0.1, run 2", "lr 0.1, run 3"]),
        (
            [RunConfig(batch_size=64, loss="mse"), RunConfig(hidden_units=8, seed=1)],
            [
                "batch size 64, 512 hidden units, mean squared error, seed 0",
                "batch size 512, 8 hidden units, cross-entropy, seed 1",
            ],
        ),
    ],
)
def test_labels_name_only_what_differs(configs, labels):
    runs = [Run(number, config, History()) for number, config in enumerate(configs, start=1)]
    assert describe_runs(runs) == labels


def test_names_hold_the_number_and_what_differs():
    configs = [SLOW, FAST, FAST]
    runs = [Run(number, config, History()) for number, config in enumerate(configs, start=1)]
    assert name_runs(runs) == {1: "run 1: lr 0.001", 2: "lr 0.1, run 2", 3: "lr 0.1, run 3"}
    assert name_runs(runs[:1]) == {1: "run 1"}


def test_a_run_keeps_what_was_recorded(log, train, batches):
    trainer = train(SLOW, evaluator=Evaluator(batches))
    (run,) = log.runs
    assert log.current is run
    assert (run.number, run.config) == (1, SLOW)
    assert run.history is trainer.history
    assert run.best_accuracy == max(trainer.history["test_accuracy"])
    assert run.learning_rates == [0.001]


def test_a_run_without_a_batch_is_none(log, make_recorded):
    trainer = make_recorded()
    next(trainer.iterate(1))
    assert len(log.runs) == 1
    trainer.restore(trainer.snapshot())
    assert log.current is None
    assert len(log.runs) == 1


def test_continuing_extends_the_run_and_a_reset_begins_another(log, make_recorded):
    trainer = make_recorded()
    beginning = trainer.snapshot()
    trainer.fit(1)
    trainer.fit(1)
    assert [run.history.num_epochs for run in log.runs] == [2]
    trainer.restore(beginning)
    trainer.fit(1)
    assert [run.history.num_epochs for run in log.runs] == [2, 1]
    assert log.current is log.runs[1]
    assert shown(log) == [1]


def test_a_run_without_an_evaluator_has_no_accuracy(log, train):
    train()
    assert log.runs[0].best_accuracy is None


def test_the_duration_counts_batches_and_no_pauses(log, make_recorded):
    trainer = make_recorded()
    reports, pauses_s = [], 0.0
    began_s = time.perf_counter()
    for report in trainer.iterate(1):
        reports.append(report)
        paused_s = time.perf_counter()
        time.sleep(0.02)  # a pause between two batches
        pauses_s += time.perf_counter() - paused_s
    assert log.runs[0].duration_s == pytest.approx(sum(report.duration_s for report in reports))
    assert log.runs[0].duration_s <= time.perf_counter() - began_s - pauses_s


def test_a_run_has_the_learning_rate_of_its_first_batch(log, make_recorded):
    trainer = make_recorded()
    trainer.optimizer.param_groups[0]["lr"] = 0.5
    trainer.fit(1)
    assert log.runs[0].config == RunConfig(learning_rate=0.5)
    assert describe_runs(log.runs) == ["run 1"]


def test_runs_without_settings_differ_by_their_numbers(log, make_recorded):
    for _ in range(2):
        make_recorded(None).fit(1)
    assert describe_runs(log.runs) == ["run 1", "run 2"]


def test_a_learning_rate_that_was_changed_is_part_of_the_label(log, train, make_recorded):
    train(FAST)
    trainer = make_recorded()
    for report in trainer.iterate(1):
        trainer.optimizer.param_groups[0]["lr"] = 0.001 if report.step < 3 else 0.5
    assert log.runs[1].learning_rates == [0.01, 0.001, 0.5]
    assert describe_runs(log.runs) == ["lr 0.1", "lr 0.01 → 0.001 → 0.5"]


def test_the_log_keeps_the_last_runs_and_never_gives_a_number_twice(log, train):
    for _ in range(MAX_RUNS + 2):
        train()
    assert [run.number for run in log.runs] == list(range(3, MAX_RUNS + 3))
    log.record()
    log.delete(MAX_RUNS + 2)
    train()
    assert log.runs[-1].number == MAX_RUNS + 3


def test_the_last_runs_are_shown_and_showing_another_hides_the_oldest(log, train):
    for _ in range(MAX_EARLIER_SHOWN + 2):
        train()
    assert shown(log) == [2, 3, 4, 5]
    log.show(1)
    assert shown(log) == [1, 3, 4, 5]
    log.show(4, False)
    assert shown(log) == [1, 3, 5]
    log.record()  # a reset: the current run becomes an earlier one
    assert shown(log) == [1, 3, 5, 6]


def test_the_current_run_can_be_neither_hidden_nor_deleted(log, train):
    train()
    log.show(1, False)
    log.delete(1)
    assert [run.is_shown for run in log.runs] == [True]
    log.close_current()
    log.delete(1)
    log.delete(99)
    assert log.runs == ()


def test_listeners_are_called_for_runs_and_epochs_but_not_for_every_batch(log, train):
    calls = []
    listener = lambda: calls.append(len(log.runs))  # noqa: E731
    log.add_listener(listener)
    train()
    assert calls[0] == 0  # no current run any more
    assert 3 <= len(calls) <= 6  # 10 batches, 2 epochs
    log.close_current()
    log.delete(1)
    assert calls[-1] == 0
    log.remove_listener(listener)
    before = len(calls)
    train()
    assert len(calls) == before


def test_an_expected_accuracy_is_kept_with_the_next_run_and_with_one_that_goes_on(
    log, make_recorded
):
    trainer = make_recorded()
    log.expected_accuracy = 0.9
    trainer.fit(1)
    assert log.runs[0].expected_accuracy == 0.9
    log.expected_accuracy = 0.95
    assert log.runs[0].expected_accuracy == 0.9  # until the training goes on
    trainer.fit(1)
    assert log.runs[0].expected_accuracy == 0.95
    log.expected_accuracy = None
    make_recorded().fit(1)
    assert [run.expected_accuracy for run in log.runs] == [0.95, None]


def test_the_best_accuracy_leaves_out_epochs_without_one(make_trainer, batches):
    class Late(Evaluator):
        num_epochs = 0

        def evaluate(self, model, device):
            self.num_epochs += 1
            return super().evaluate(model, device) if self.num_epochs == 2 else {}

    log = RunLog()
    trainer = make_trainer(evaluator=Late(batches), callbacks=[log.record()])
    trainer.fit(3)
    run = log.runs[-1]
    assert run.best_accuracy == trainer.history["test_accuracy"][1]
