"""`check_callback`: the early stopping that students write, and the verdicts."""

from __future__ import annotations

import math
import re
import signal

import pytest

from mnist_widgets import Callback, EarlyStopping
from mnist_widgets.exercises import check_callback
from mnist_widgets.exercises.hints import read_hints


class StopEarly(Callback):
    """A right answer; each class below changes one thing."""

    def __init__(self, patience):
        self.patience = patience

    def on_train_begin(self, trainer):
        self.best = math.inf
        self.count = 0

    def on_epoch_end(self, trainer, report):
        loss = self.find_loss(trainer, report)
        if self.is_better(loss):
            self.best = loss
            self.count = 0
        else:
            self.count += 1
            if self.count >= self.patience:
                self.stop(trainer)

    def find_loss(self, trainer, report):
        return report.metrics["test_loss"]

    def is_better(self, loss):
        return loss < self.best

    def stop(self, trainer):
        trainer.request_stop()


class ReadsTheHistory(Callback):
    """Stores only its patience."""

    def __init__(self, patience):
        self.patience = patience

    def on_epoch_end(self, trainer, report):
        losses = trainer.history["test_loss"]
        best = losses.index(min(losses))
        if len(losses) - 1 - best >= self.patience:
            trainer.request_stop(f"no better loss since epoch {best + 1}")


class BeginsAnewAfterAReset(StopEarly):
    def __init__(self, patience):
        super().__init__(patience)
        self.best, self.count = math.inf, 0

    def on_train_begin(self, trainer):
        pass

    def on_reset(self, trainer):
        self.best, self.count = math.inf, 0


@pytest.mark.parametrize(
    "make",
    [
        StopEarly,
        ReadsTheHistory,
        BeginsAnewAfterAReset,
        lambda patience: EarlyStopping("test_loss", patience),
    ],
)
def test_right_answers_pass_however_they_are_written(make):
    verdict = check_callback(make)
    assert verdict.passed, verdict


class StopsAtFirstRise(StopEarly):
    def on_epoch_end(self, trainer, report):
        loss = report.metrics["test_loss"]
        if loss >= self.best:
            trainer.request_stop()
        self.best = min(self.best, loss)


class WaitsUntilItIsAbove(StopEarly):
    def on_epoch_end(self, trainer, report):
        if report.metrics["test_loss"] < self.best:
            self.best, self.count = report.metrics["test_loss"], 0
        else:
            self.count += 1
        if self.count > self.patience:
            trainer.request_stop()


class BeginsToCountAtOne(StopEarly):
    def on_epoch_end(self, trainer, report):
        if report.metrics["test_loss"] < self.best:
            self.best, self.count = report.metrics["test_loss"], 1
        else:
            self.count += 1
        if self.count >= self.patience and self.count > 1:
            trainer.request_stop()


class CountsTwice(StopEarly):
    def on_batch_end(self, trainer, report):
        if trainer.history.get("test_loss"):
            self.count += 1


class RemembersTheLast(StopEarly):
    def on_epoch_end(self, trainer, report):
        super().on_epoch_end(trainer, report)
        self.best = report.metrics["test_loss"]


class NeverResetsTheCount(StopEarly):
    def on_epoch_end(self, trainer, report):
        loss = report.metrics["test_loss"]
        if loss < self.best:
            self.best = loss
        else:
            self.count += 1
        if self.count >= self.patience:
            trainer.request_stop()


class TakesEqualForBetter(StopEarly):
    def is_better(self, loss):
        return loss <= self.best


class TakesHigherForBetter(StopEarly):
    def on_train_begin(self, trainer):
        self.best, self.count = 0, 0

    def is_better(self, loss):
        return loss > self.best


class CountsEveryEpoch(StopEarly):
    def is_better(self, loss):
        return False


class IgnoresPatience(StopEarly):
    def __init__(self, patience):
        super().__init__(3)


class WaitsForTwoEpochs(StopEarly):
    """Behaves as if it used `Patience(2)` instead of `Patience(self.limit)`."""

    def __init__(self, patience):
        super().__init__(2)


class WaitsForFiveEpochs(StopEarly):
    def __init__(self, patience):
        super().__init__(5)


class WatchesTheTrainingLoss(StopEarly):
    def find_loss(self, trainer, report):
        return report.train_loss


class WatchesTheLastBatch(StopEarly):
    def find_loss(self, trainer, report):
        return trainer.history.batch_losses[-1]


class WatchesTheAccuracy(StopEarly):
    def find_loss(self, trainer, report):
        return 1 - report.metrics["test_accuracy"]


class TakesTheAccuracyForALoss(StopEarly):
    def find_loss(self, trainer, report):
        return report.metrics["test_accuracy"]


class RaisesStopIteration(StopEarly):
    def stop(self, trainer):
        raise StopIteration


class StopTrainingError(Exception):
    pass


class RaisesAnErrorOfItsOwn(StopEarly):
    def stop(self, trainer):
        raise StopTrainingError


class Quits(StopEarly):
    def stop(self, trainer):
        raise SystemExit


class RaisesAnInterrupt(StopEarly):
    """Stops as in some libraries."""

    def stop(self, trainer):
        raise KeyboardInterrupt


class CallsAMethodThatIsNotThere(StopEarly):
    def stop(self, trainer):
        trainer.stop()


class ForgetsTheBrackets(StopEarly):
    def stop(self, trainer):
        trainer.request_stop  # noqa: B018 - that is the mistake


class MisspellsTheHook(Callback):
    def __init__(self, patience):
        self.patience = patience

    def on_end_of_epoch(self, trainer, report):
        trainer.request_stop()


class ForgetsTheReport(Callback):
    def __init__(self, patience):
        self.patience = patience

    def on_epoch_end(self, trainer):
        trainer.request_stop()


class KeepsItsState(StopEarly):
    def __init__(self, patience):
        super().__init__(patience)
        self.best, self.count = math.inf, 0

    def on_train_begin(self, trainer):
        pass


class IsNoCallback:
    def __init__(self, patience):
        self.patience = patience


class Unsolved(Callback):
    def __init__(self, patience):
        self.patience = patience

    def on_epoch_end(self, trainer, report):
        raise NotImplementedError


def make_nothing(patience):
    StopEarly(patience)


def make_a_class(patience):
    return StopEarly


def is_a_stub(patience): ...


class KeepsTheCountInTheClass(StopEarly):
    epochs_seen = 0

    def on_epoch_end(self, trainer, report):
        KeepsTheCountInTheClass.epochs_seen += 1
        super().on_epoch_end(trainer, report)
        if KeepsTheCountInTheClass.epochs_seen == 37:  # in the session
            trainer.request_stop()


WRONG = [
    (StopsAtFirstRise, "stops_at_first_rise"),
    (WaitsUntilItIsAbove, "one_epoch_too_late"),
    (BeginsToCountAtOne, "one_epoch_too_early"),
    (RemembersTheLast, "compares_with_last"),
    (NeverResetsTheCount, "count_not_reset"),
    (TakesEqualForBetter, "equal_counts_as_better"),
    (TakesHigherForBetter, "wrong_direction"),
    (CountsEveryEpoch, "stops_whatever_happens"),
    (CountsTwice, "stops_at_first_rise"),
    (IgnoresPatience, "ignores_patience"),
    (WaitsForTwoEpochs, "ignores_patience"),
    (WaitsForFiveEpochs, "ignores_patience"),
    (WatchesTheTrainingLoss, "watches_training_loss"),
    (WatchesTheLastBatch, "watches_training_loss"),
    (WatchesTheAccuracy, "watches_accuracy"),
    (TakesTheAccuracyForALoss, "watches_accuracy"),
    (RaisesStopIteration, "raises_to_stop"),
    (RaisesAnErrorOfItsOwn, "raises_to_stop"),
    (Quits, "raises_to_stop"),
    (RaisesAnInterrupt, "raises_to_stop"),
    (CallsAMethodThatIsNotThere, "raises"),
    (ForgetsTheBrackets, "never_stops"),
    (MisspellsTheHook, "hook_never_called"),
    (ForgetsTheReport, "wrong_arguments"),
    (KeepsItsState, "keeps_its_state"),
    (IsNoCallback, "not_a_callback"),
    (Unsolved, "unsolved"),
    (make_nothing, "returns_none"),
    (make_a_class, "not_a_callback"),
    (is_a_stub, "unsolved"),
]


@pytest.mark.parametrize(("make", "mistake"), WRONG)
def test_each_mistake_is_recognized(make, mistake):
    verdict = check_callback(make)
    assert verdict.mistake == mistake, verdict
    assert not verdict.passed


def test_a_callback_in_place_of_its_class_is_recognized():
    assert check_callback(StopEarly(2)).mistake == "callback_given"


def test_state_kept_outside_the_callback_is_noticed_in_the_session():
    KeepsTheCountInTheClass.epochs_seen = 0
    assert check_callback(KeepsTheCountInTheClass).mistake == "fails_in_session"


class IsInterrupted(StopEarly):
    """The user presses Ctrl-C, or Interrupt in the notebook, while it runs."""

    def stop(self, trainer):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_from_the_keyboard_passes_through():
    with pytest.raises(KeyboardInterrupt):
        check_callback(IsInterrupted)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (CountsEveryEpoch, "patience 2: expected all 8 epochs, found 2"),
        (StopsAtFirstRise, "expected a stop after epoch 6, found a stop after epoch 4"),
        (BeginsToCountAtOne, "expected a stop after epoch 6, found a stop after epoch 5"),
        (WaitsForTwoEpochs, "found a stop after epoch 5, and the same with patience 5"),
        (WaitsForFiveEpochs, "found a stop after epoch 8, and the same with patience 5"),
        (IgnoresPatience, "expected a stop after epoch 4, found a stop after epoch 6"),
        (ForgetsTheBrackets, "expected a stop after epoch 6, found no stop"),
        (NeverResetsTheCount, "1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.75, ...: expected no stop, found"),
        (RaisesAnInterrupt, "KeyboardInterrupt was raised in epoch 6"),
        (KeepsItsState, "expected stops after epoch 5 and 5, found after 5 and 1"),
    ],
)
def test_the_hint_names_what_was_found(make, words):
    verdict = check_callback(make)
    assert words in verdict.hint
    [failed] = [detail for detail in verdict.details if detail.passed is False]
    assert words in failed.numbers


class Patience:
    """The class of the exercise."""

    def __init__(self, limit):
        self.limit = limit
        self.best = math.inf
        self.num_waited = 0

    def runs_out(self, value):
        if value < self.best:
            self.best, self.num_waited = value, 0
        else:
            self.num_waited += 1
        return self.num_waited >= self.limit


class MakesPatienceOnce(Callback):
    """The exercise's callback, but it creates its patience too early."""

    def __init__(self, limit):
        self.limit = limit
        self.patience = Patience(limit)

    def on_epoch_end(self, trainer, report):
        if self.patience.runs_out(report.metrics["test_loss"]):
            trainer.request_stop()


class FollowsTheLastHint(MakesPatienceOnce):
    def on_train_begin(self, trainer):
        self.patience = Patience(self.limit)


def test_the_last_hint_uses_the_names_of_the_exercise():
    hint = [check_callback(MakesPatienceOnce) for _ in range(3)][-1].hint
    assert "`self.patience = Patience(self.limit)`" in hint
    assert check_callback(FollowsTheLastHint).passed


def test_no_hint_keeps_a_number_in_patience():
    for ladder in read_hints("callback").values():
        for hint in ladder:
            assert "self.patience = patience" not in hint
            assert not re.search(r"(>=|reaches|is) `?self\.patience", hint)
