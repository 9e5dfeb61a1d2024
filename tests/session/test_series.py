"""Several trainers, trained one after the other as one run."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from timeouts import TIMEOUT_S

from mnist_widgets import ActionRefusedError, Callback, DivergenceGuard, TrainingSession

FOREVER = 10_000


class Trainers:
    """Builds trainers for a series, and notes what became of them."""

    def __init__(self, make_trainer, **options) -> None:
        self.make = lambda: make_trainer(**options)
        self.built, self.finished, self.is_closed = [], [], False

    def build(self, num_runs=3):
        try:
            for _ in range(num_runs):
                self.built.append(self.make())
                yield self.built[-1]
                self.finished.append(self.built[-1])
        finally:
            self.is_closed = True


@pytest.fixture
def trainers(make_trainer):
    return Trainers(make_trainer)


@pytest.fixture
def session(make_trainer):
    return TrainingSession(make_trainer())


def settle(session) -> None:
    """Wait until all requests so far have taken effect."""
    session.between_batches(lambda: None).result(TIMEOUT_S)


def num_batches(trainers) -> list[int]:
    return [len(trainer.history.batch_losses) for trainer in trainers]


def start_paused(session, trainers) -> None:
    """Begin a series of three runs, of one epoch each, paused before the first batch."""
    are_both_requested = threading.Event()
    session.between_batches(lambda: are_both_requested.wait(TIMEOUT_S))
    session.start_each(trainers.build(), 3, 1)
    session.pause()
    are_both_requested.set()
    settle(session)


def bring_between_runs(session, trainers) -> None:
    """Step through the first run of a series of three, of one epoch each."""
    start_paused(session, trainers)
    while not trainers.finished:
        session.step()
        settle(session)


def test_all_trainers_are_trained_in_order_and_built_when_the_one_before_has_finished(
    session, make_trainer
):
    trainers, numbers = None, []

    class Watch(Callback):
        def on_train_begin(self, trainer):
            numbers.append((len(trainers.built), len(trainers.finished)))

    trainers = Trainers(make_trainer, callbacks=[Watch()])
    session.start_each(trainers.build(), 3, 2)
    session.join(TIMEOUT_S)
    assert session.state == "finished"
    assert num_batches(trainers.built) == [10, 10, 10]
    assert trainers.finished == trainers.built
    assert trainers.is_closed
    assert numbers == [(1, 0), (2, 1), (3, 2)]
    assert session.trainer is trainers.built[-1]
    assert session.progress == 1


def test_the_progress_is_that_of_the_whole_series(session, make_trainer):
    seen = []

    class Watch(Callback):
        def on_batch_end(self, trainer, report):
            seen.append(session.progress)

    trainers = Trainers(make_trainer, callbacks=[Watch()])
    session.start_each(trainers.build(), 3, 2)
    session.join(TIMEOUT_S)
    assert seen == pytest.approx([number / 30 for number in range(30)])


def test_the_state_is_running_from_the_first_run_to_the_last(session, make_trainer):
    states = set()
    trainers = Trainers(make_trainer)
    session.add_listener(lambda: states.add((session.state, session.can("start"))))
    session.start_each(trainers.build(), 3, 1)
    session.join(TIMEOUT_S)
    assert states == {("running", False), ("finished", True)}


def test_the_trainer_of_the_session_is_not_trained(session, trainers):
    before = session.trainer
    session.start_each(trainers.build(), 3, 1)
    session.join(TIMEOUT_S)
    assert before.history.num_epochs == 0


@pytest.mark.parametrize("action", ["stop", "reset", "close"])
def test_a_request_to_end_ends_the_whole_series(session, trainers, action):
    session.start_each(trainers.build(), 3, FOREVER)
    settle(session)
    getattr(session, action)()
    if action != "close":
        settle(session)
    assert session.state == ("idle" if action == "reset" else "stopped")
    assert len(trainers.built) == 1
    assert trainers.finished == []
    assert trainers.is_closed


@pytest.mark.parametrize("action", ["stop", "reset"])
def test_between_two_runs_a_request_to_end_keeps_the_finished_run(session, trainers, action):
    bring_between_runs(session, trainers)
    assert session.state == "paused"
    getattr(session, action)()
    settle(session)
    assert session.state == ("idle" if action == "reset" else "stopped")
    assert trainers.finished == [session.trainer] == trainers.built[:1]
    assert num_batches(trainers.built[1:]) == [0]
    assert trainers.is_closed


def test_a_pause_pauses_and_resume_trains_all_that_is_left(session, trainers):
    start_paused(session, trainers)
    assert session.state == "paused"
    assert num_batches(trainers.built) == [0]
    session.resume()
    session.join(TIMEOUT_S)
    assert num_batches(trainers.built) == [5, 5, 5]


def test_steps_lead_from_one_run_to_the_next_and_can_be_recorded(session, trainers):
    bring_between_runs(session, trainers)
    assert session.last_report.batch == 5
    session.step(record=True)
    settle(session)
    assert session.trainer is trainers.built[1]
    assert session.last_report.record is not None
    assert num_batches(trainers.built) == [5, 1]
    for _ in range(9):
        session.step()
    settle(session)
    assert session.state == "finished"


def test_an_error_of_a_step_ends_the_series(session, make_trainer):
    def fail(*_):
        raise ZeroDivisionError("planted")

    trainers = Trainers(make_trainer, train_step=fail)
    session.start_each(trainers.build(), 3, 1)
    with pytest.raises(ZeroDivisionError):
        session.join(TIMEOUT_S)
    assert len(trainers.built) == 1
    assert trainers.is_closed


@pytest.mark.parametrize("num_good", [0, 1])
def test_a_trainer_that_cannot_be_built_ends_the_series(session, make_trainer, num_good):
    def build():
        for _ in range(num_good):
            yield make_trainer()
        raise ZeroDivisionError("planted")

    session.start_each(build(), 3, 1)
    with pytest.raises(ZeroDivisionError):
        session.join(TIMEOUT_S)
    assert session.state == "failed"
    session.start(1)
    session.join(TIMEOUT_S)
    assert session.state == "finished"


def test_a_run_that_a_callback_stops_ends_the_series_with_its_reason(session, make_trainer):
    options = {"callbacks": [DivergenceGuard()], "train_step": lambda *_: float("nan")}
    trainers = Trainers(make_trainer, **options)
    session.start_each(trainers.build(), 3, 1)
    session.join(TIMEOUT_S)
    assert session.state == "stopped"
    assert session.trainer.stop_reason
    assert trainers.finished == []


def test_a_single_run_after_a_series_is_a_single_run(session, trainers):
    session.start_each(trainers.build(), 3, 1)
    session.join(TIMEOUT_S)
    session.start(2)
    session.join(TIMEOUT_S)
    assert session.series is None
    assert num_batches(trainers.built) == [5, 5, 15]
    assert session.progress == 1
    session.reset()
    settle(session)
    assert session.state == "idle"
    assert num_batches(trainers.built) == [5, 5, 0]


def test_a_series_is_refused_while_a_training_runs(session, trainers):
    session.start(FOREVER)
    with pytest.raises(ActionRefusedError):
        session.start_each(trainers.build(), 3, 1)
    with pytest.raises(ValueError, match="epochs"):
        session.start_each(trainers.build(), 3, 0)
    assert trainers.built == []


def test_where_the_main_thread_waits_a_series_has_ended_when_the_request_returns(make_trainer):
    session, trainers = TrainingSession(make_trainer(), wait=True), Trainers(make_trainer)
    session.start_each(trainers.build(), 3, 1)
    assert session.state == "finished"
    assert num_batches(trainers.finished) == [5, 5, 5]


@pytest.mark.skipif(os.name == "nt", reason="os.kill sends no SIGINT on Windows")
def test_an_interrupt_where_the_main_thread_waits_ends_the_series(make_trainer):
    class Interrupt(Callback):
        def on_epoch_end(self, trainer, report):
            if report.epoch == 1:
                os.kill(os.getpid(), signal.SIGINT)

    session = TrainingSession(make_trainer(), wait=True)
    trainers = Trainers(make_trainer, callbacks=[Interrupt()])
    session.start_each(trainers.build(), 3, FOREVER)
    assert session.state == "stopped"
    assert len(trainers.built) == 1
    assert trainers.is_closed
