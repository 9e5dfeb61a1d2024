"""A real session under random sequences of commands, jobs, faults and newer sessions."""

from __future__ import annotations

import threading
import warnings
from contextlib import suppress

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import ActionRefusedError, Callback, Trainer, TrainingSession, train_step

FOREVER = 10**6
BATCHES_PER_EPOCH = 3
AT_REST = ("idle", "finished", "stopped", "failed")
OPEN = ("running", "paused")
OUTCOMES = {
    "start": dict.fromkeys(AT_REST, "running"),
    "pause": dict.fromkeys(OPEN, "paused"),
    "resume": dict.fromkeys(OPEN, "running"),
    "step": dict.fromkeys((*AT_REST, "paused"), "paused"),
    "stop": {**{state: state for state in AT_REST}, **dict.fromkeys(OPEN, "stopped")},
    "reset": dict.fromkeys((*AT_REST, *OPEN), "idle"),
}


class Problem(Callback):
    """A small training that counts what happens in it, and fails where a test plants a fault.

    Attributes:
        fault: where the next failure is planted: the "step", the "callback" or the "evaluator".
        num_trained: batches since the last reset.
        position: batches of the present epoch.
        is_epoch_over: whether it was evaluated.
        num_epochs: whole epochs since the last reset.
        begun, ended: how often the hooks of a run were called.
    """

    def __init__(self) -> None:
        self.fault = ""
        self.num_trained = self.num_epochs = self.position = self.begun = self.ended = 0
        self.is_epoch_over = False
        model = nn.Linear(4, 3)
        self.trainer = Trainer(
            model,
            nn.CrossEntropyLoss(),
            torch.optim.SGD(model.parameters(), lr=0.01),
            [(torch.randn(2, 4), torch.randint(0, 3, (2,))) for _ in range(BATCHES_PER_EPOCH)],
            evaluator=self,
            callbacks=[self],
            train_step=self.train,
            device="cpu",
        )

    def fail_at(self, where: str) -> None:
        if self.fault == where:
            self.fault = ""
            raise ZeroDivisionError("planted")

    def train(self, *arguments) -> float:
        self.fail_at("step")
        loss = train_step(*arguments)
        self.num_trained += 1
        self.position += 1
        return loss

    def evaluate(self, model, device):
        raise AssertionError("a trainer calls evaluate_in_portions")

    def evaluate_in_portions(self, model, device):
        yield
        self.fail_at("evaluator")
        yield
        return {"test_loss": 1.0}

    def on_train_begin(self, trainer):
        self.begun += 1

    def on_epoch_begin(self, trainer, epoch):
        self.position, self.is_epoch_over = 0, False

    def on_batch_end(self, trainer, report):
        self.fail_at("callback")

    def on_epoch_end(self, trainer, report):
        self.num_epochs += 1
        self.is_epoch_over = True

    def on_train_end(self, trainer):
        self.ended += 1

    def on_reset(self, trainer):
        self.num_trained = self.num_epochs = 0


class SessionMachine(RuleBasedStateMachine):
    """Steers a session and knows what must become of it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.problem = Problem()
        self.session = TrainingSession(self.problem.trainer)
        self.state = "idle"
        self.is_closed = False
        self.jobs = []
        self.num_batches_left: int | None = None  # of a run that only `step` has trained

    def teardown(self) -> None:
        self.session.close()

    @rule()
    def start(self):
        fault = self.problem.fault
        if self.request("start", lambda: self.session.start(FOREVER)):
            self.num_batches_left = None
            self.expect_failure(fault)

    @rule()
    def train_a_short_run(self):
        fault, num_trained = self.problem.fault, self.problem.num_trained
        if self.request("start", lambda: self.session.start(1)):
            self.join_to_the_end(fault)
            assert fault or self.problem.num_trained == num_trained + BATCHES_PER_EPOCH

    @rule()
    def pause(self):
        self.request("pause", self.session.pause)

    @rule()
    def resume(self):
        fault = self.problem.fault
        if self.request("resume", self.session.resume):
            if self.num_batches_left is None:
                self.expect_failure(fault)
            else:
                self.join_to_the_end(fault)

    @rule()
    def step(self):
        problem, before = self.problem, self.state
        fault, num_trained = problem.fault, problem.num_trained
        is_pending = (
            before == "paused"
            and problem.begun > problem.ended
            and problem.position == BATCHES_PER_EPOCH
            and not problem.is_epoch_over
        )
        position = 0 if before != "paused" or problem.is_epoch_over else problem.position
        if not self.request("step", lambda: self.session.step(epochs=2)):
            return
        self.await_end_of_step()
        if before != "paused":
            self.num_batches_left = 2 * BATCHES_PER_EPOCH
        position = 0 if is_pending else position
        ends_epoch = position % BATCHES_PER_EPOCH == BATCHES_PER_EPOCH - 1
        if fault == "step" or (fault == "evaluator" and is_pending):
            num_trained -= 1
            self.state = "failed"
        elif fault == "callback" or (fault == "evaluator" and ends_epoch):
            self.state = "failed"
        elif self.num_batches_left is not None:
            self.num_batches_left -= 1
            self.state = "paused" if self.num_batches_left else "finished"
        assert problem.num_trained == num_trained + 1

    @rule()
    def stop(self):
        self.request("stop", self.session.stop)

    @rule()
    def reset(self):
        if self.request("reset", self.session.reset):
            assert self.problem.num_trained == 0
            assert self.session.trainer.history.batch_losses == []

    @rule()
    def submit_a_job(self):
        if self.is_closed:
            with pytest.raises(ActionRefusedError, match="closed"):
                self.session.between_batches(lambda: None)
        else:
            self.jobs.append(self.session.between_batches(lambda: self.problem.num_trained))

    @rule()
    def submit_a_long_job(self):
        def work():
            for _ in range(3):
                yield

        if not self.is_closed:
            self.jobs.append(self.session.in_portions(work))

    @precondition(lambda self: not self.problem.fault)
    @rule()
    def plant_a_fault_in_the_step(self):
        self.plant("step")

    @precondition(lambda self: not self.problem.fault)
    @rule()
    def plant_a_fault_in_a_callback(self):
        self.plant("callback")

    @precondition(lambda self: not self.problem.fault)
    @rule()
    def plant_a_fault_in_the_evaluator(self):
        self.plant("evaluator")

    @rule()
    def close(self):
        workers = [thread for thread in threading.enumerate() if thread.name == "training"]
        self.session.close()
        self.is_closed = True
        if self.state in OPEN:
            self.state = "stopped"
        assert not any(worker.is_alive() for worker in workers)
        assert all(job.done() for job in self.jobs)

    @rule()
    def make_a_newer_session(self):
        older, was_open = self.session, self.state in OPEN
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.session = TrainingSession(self.problem.trainer)
        assert len(caught) == was_open
        assert older.is_closed
        assert older.state == ("stopped" if was_open else self.state)
        self.state, self.is_closed = "idle", False

    @invariant()
    def state_and_counts_are_right(self):
        if not self.is_closed:
            self.session.between_batches(self.check_counts).result(TIMEOUT_S)
        self.check_counts()
        assert self.session.state == self.state
        for action, outcomes in OUTCOMES.items():
            assert self.session.can(action) == (not self.is_closed and self.state in outcomes)
        assert (self.session.error is not None) == (self.state == "failed")
        if self.state in AT_REST and self.state != "idle":
            assert self.session.trainer.ending == self.state

    def check_counts(self):
        problem, history = self.problem, self.problem.trainer.history
        if self.state != "running" or self.session.is_worker_here:
            assert len(history.batch_losses) == problem.num_trained
            assert history.num_epochs == problem.num_epochs
            is_open = self.state in OPEN
            assert problem.begun - problem.ended in ({0, 1} if is_open else {0})

    def request(self, action, call) -> bool:
        """Request an action, and return whether it was accepted."""
        outcome = None if self.is_closed else OUTCOMES[action].get(self.state)
        assert self.session.can(action) == (outcome is not None)
        if outcome is None:
            with pytest.raises(ActionRefusedError, match=r"first|before|closed"):
                call()
            return False
        call()
        self.session.between_batches(lambda: None).result(TIMEOUT_S)
        self.state = outcome
        return True

    def plant(self, where: str) -> None:
        self.problem.fault = where
        self.expect_failure(where)

    def expect_failure(self, fault: str) -> None:
        """Wait until a running training fails, if a fault was planted."""
        if fault and self.state == "running":
            with pytest.raises(ZeroDivisionError, match="planted"):
                self.session.join(TIMEOUT_S)
            self.state = "failed"

    def join_to_the_end(self, fault: str) -> None:
        """Wait for the end of a short run."""
        self.expect_failure(fault)
        if self.state == "running":
            self.session.join(TIMEOUT_S)
            self.state = "finished"

    def await_end_of_step(self) -> None:
        with suppress(ActionRefusedError, ZeroDivisionError):  # it stands still now, or has failed
            self.session.join(TIMEOUT_S)


def test_random_requests_leave_a_session_in_the_expected_state():
    run_state_machine_as_test(
        SessionMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
