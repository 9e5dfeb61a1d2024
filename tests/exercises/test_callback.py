"""`check_callback`: the early stopping that students write, and what they are told."""

from __future__ import annotations

import math

import pytest

from mnist_widgets import Callback, EarlyStopping
from mnist_widgets.exercises import check_callback


class StopEarly(Callback):
    """A right answer; the students below each change one thing."""

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


class LooksIntoTheHistory(Callback):
    """Keeps nothing but its patience."""

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
        LooksIntoTheHistory,
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


class LooksTheWrongWayRound(StopEarly):
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
    (LooksTheWrongWayRound, "wrong_direction"),
    (CountsEveryEpoch, "stops_whatever_happens"),
    (CountsTwice, "stops_at_first_rise"),
    (IgnoresPatience, "ignores_patience"),
    (WatchesTheTrainingLoss, "watches_training_loss"),
    (WatchesTheLastBatch, "watches_training_loss"),
    (WatchesTheAccuracy, "watches_accuracy"),
    (TakesTheAccuracyForALoss, "watches_accuracy"),
    (RaisesStopIteration, "raises_to_stop"),
    (RaisesAnErrorOfItsOwn, "raises_to_stop"),
    (Quits, "raises_to_stop"),
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


def test_what_is_kept_outside_of_the_callback_shows_in_the_session():
    KeepsTheCountInTheClass.epochs_seen = 0
    assert check_callback(KeepsTheCountInTheClass).mistake == "fails_in_session"
