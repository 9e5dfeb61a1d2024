"""Train a trainer's runs one batch at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

from mnist_widgets.session.states import State
from mnist_widgets.session.throughput import Throughput
from mnist_widgets.training.reports import BatchReport
from mnist_widgets.training.trainer import Trainer


class SteppedRun:
    """The current run of a trainer, which trains a batch only when one is requested.

    It knows nothing of threads: a session calls its methods in the worker thread alone. Other
    threads may read the attributes at any time.

    Args:
        trainer: its present state is what `reset` restores.
        choose_trainer: takes the trainer just before a run begins, and returns the one to train:
            the same, or another.

    Attributes:
        trainer: the trainer.
        state: whether the run trains, is paused, or how it ended.
        error: the exception that ended the last run, if the state is `failed`; else None.
        last_report: the latest batch; None before the first and after a reset.
        throughput, num_batches_trained: of the current or last run.
        num_changes: how often one of these has changed.
    """

    def __init__(self, trainer: Trainer, choose_trainer: Callable[[Trainer], Trainer]) -> None:
        self.trainer = trainer
        self._choose_trainer = choose_trainer
        self.state: State = "idle"
        self.last_report: BatchReport | None = None
        self.num_changes = 0
        self._forget_last_run()
        self._beginning = trainer.snapshot()
        self._batches: Generator[BatchReport | None, None, None] | None = None
        self._num_steps_due = 0
        self._is_evaluating = False  # the latest batch is trained, but not yet reported

    def _forget_last_run(self) -> None:
        self.num_batches_trained = 0  # first: then `progress` reads nothing else
        self._batch_s = 0.0  # spent on the latest batch so far
        self.throughput = Throughput()
        self.error: BaseException | None = None

    @property
    def is_batch_due(self) -> bool:
        """Whether the worker trains the next batch without another request."""
        return self.state == "running" or self._num_steps_due > 0

    def open(self, epochs: int, state: State) -> None:
        """Begin a run; its first batch is trained later."""
        trainer = self._choose_trainer(self.trainer)
        if trainer is not self.trainer:
            self.reset(trainer)
        self._forget_last_run()
        self._batches = self.trainer.iterate_in_portions(epochs)
        self._change_to(state)

    def change(self, before: State, after: State) -> None:
        """Change the state from `before` to `after`; nothing happens in another state."""
        self._num_steps_due = 0
        if self.state == before:
            self._change_to(after)

    def step(self, epochs: int) -> None:
        """Train one batch, and open a run of `epochs` for it if none is open."""
        if self.state != "paused":
            self.open(epochs, "paused")
        # an evaluation that a pause interrupted belongs to the batch before
        self._num_steps_due += 2 if self._is_evaluating and not self._num_steps_due else 1
        self.train_batch()

    def train_batch(self) -> None:
        """Train the next batch, or the next portion of the evaluation after the latest one."""
        if self._batches is None:
            return
        began_s = time.perf_counter()
        try:
            report = next(self._batches)
        except StopIteration:
            self.settle("stopped" if self.trainer.ending == "stopped" else "finished")
        else:
            self._batch_s += time.perf_counter() - began_s
            self._is_evaluating = report is None
            if report is not None:
                self._count(report)

    def end(self) -> None:
        """End the run, if one is open."""
        if self._batches is not None:
            self.trainer.request_stop()
            self.train_batch()  # trains nothing: the trainer honours the request first

    def settle(self, state: State, error: BaseException | None = None) -> None:
        """Note that the run has ended in `state`, with an error if that is `failed`."""
        self._batches = None
        self._is_evaluating, self._num_steps_due = False, 0
        self.error = error
        self._change_to(state)

    def reset(self, trainer: Trainer | None = None) -> None:
        """End the run, and put the trainer back to its beginning, or take another one."""
        try:
            self.end()
        finally:
            self._forget_last_run()
            self.last_report = None
            if trainer is not None:
                self.trainer, self._beginning = trainer, trainer.snapshot()
            self.trainer.restore(self._beginning)
        self._change_to("idle")

    def _count(self, report: BatchReport) -> None:
        self.throughput.add_batch(self._batch_s, report.num_images)
        self._batch_s = 0.0
        self._num_steps_due = max(0, self._num_steps_due - 1)
        self.num_batches_trained += 1
        self.last_report = report
        self.num_changes += 1
        is_last = report.batch == report.num_batches and report.epoch == self.trainer.last_epoch
        if is_last or self.trainer.is_stop_requested:
            self.train_batch()  # there is none: this lets the run end

    def _change_to(self, state: State) -> None:
        self.state = state
        self.num_changes += 1
