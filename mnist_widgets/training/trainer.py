"""The training loop: one batch, one epoch, a whole run.

It uses no threads, widgets or files. Observe a training with a `Callback`. Use `Trainer.iterate` to
decide when each batch is trained.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing
from typing import Any, Literal, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from mnist_widgets.system.interrupts import breakable, interrupts_stop
from mnist_widgets.training.devices import device_of, move, move_loss, pick_device
from mnist_widgets.training.epoch_batches import (
    check_epochs,
    count_batches,
    find_inputs,
    iterate_epoch,
)
from mnist_widgets.training.evaluation.explanations import explaining
from mnist_widgets.training.evaluation.module_state import Snapshot
from mnist_widgets.training.evaluation.portions import find_session_elsewhere
from mnist_widgets.training.evaluation.protocol import SupportsEvaluate, evaluate_in_portions
from mnist_widgets.training.history import History
from mnist_widgets.training.hooks import Callback, list_callbacks
from mnist_widgets.training.preflight.preflight import check_parts, train_first_batch
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.step_recorder import StepRecorder
from mnist_widgets.training.reports import BatchReport, EpochReport
from mnist_widgets.training.training_step import LossFunction, TrainStep, to_loss, train_step

Ending: TypeAlias = Literal["finished", "stopped", "closed", "failed"]

_ALREADY_TRAINING = "This trainer is training already; let that run end or stop it first."


class Trainer:
    """Train a model batch by batch and call its callbacks.

    | ending     | when                                         | `on_epoch_end`  | last hook      |
    |------------|----------------------------------------------|-----------------|----------------|
    | `finished` | all epochs were trained                      | all epochs      | `on_train_end` |
    | `stopped`  | after the batch in which a stop is requested | complete epochs | `on_train_end` |
    | `closed`   | the iterator was closed or deleted           | complete epochs | `on_train_end` |
    | `failed`   | step, evaluator or callback raised an error  | complete epochs | `on_train_end` |

    If a stop cancels the evaluation of an epoch, that epoch is not complete. With each ending,
    `history` contains every trained batch, and the model is back on its previous device. A later
    run continues from there.

    Args:
        model: maps inputs (B, ...) to outputs (B, ...).
        loss_fn: takes outputs and targets, returns one number.
        optimizer: has the model's parameters.
        train_batches: the batches of an epoch, such as `DigitSet.batches`, a `DataLoader` or a
            list. They have a length and are iterated once in each epoch.
        evaluator: evaluates the model after each epoch.
        callbacks: their hooks are called in this order.
        train_step: trains one batch; by default `train_step` of this package.
        device: the device for training; by default `pick_device()`.

    Raises:
        ValueError, TypeError: if parts do not fit together; see `preflight.check_parts`. Some
            checks need a batch: a run makes these before its first update.

    Attributes:
        history: the losses and metrics so far; each `restore` starts a new one.
        num_batches_trained, num_images_trained, num_epochs_trained: batches, images and complete
            epochs since the start of the history.
        last_evaluated: the report of the last epoch with predictions of an `Evaluator`, or None.
        last_epoch: the number of the last epoch of the latest run; 0 before the first run.
        ending: how the latest run ended; None before that.
        is_running: whether a run has started and has not ended; it may be paused.
        is_stop_requested, stop_reason: whether `request_stop` was called in this run, and why.
        warnings: messages about parts that may not fit together; each was also a Python warning.
        input_range: the lowest and highest input of the latest run's first batch, if known.
        config, data: the `RunConfig` that built the trainer, and the training and test set it was
            built for; None if you made the trainer from your own parts.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFunction,
        optimizer: Optimizer,
        train_batches: Iterable[Any],
        *,
        evaluator: SupportsEvaluate | None = None,
        callbacks: Iterable[Callback] = (),
        train_step: TrainStep = train_step,
        device: torch.device | str | None = None,
    ) -> None:
        self.model = model
        self.loss_fn = loss_fn
        self.optimizer = optimizer
        self.train_batches = train_batches
        self.evaluator = evaluator
        self.callbacks = list_callbacks(callbacks)
        self.train_step = train_step
        self.device = pick_device() if device is None else torch.device(device)
        self._begin_history()
        self.last_epoch = 0
        self.warnings: list[str] = []
        self.input_range: tuple[float, float] | None = None
        self.config: object = None
        self.data: object = None
        self.is_running = self.is_stop_requested = self._stop_ends_evaluation = False
        self._records_in_full: bool | None = None  # None: not at all
        check_parts(self)

    def _begin_history(self) -> None:
        self.last_evaluated: EpochReport | None = None
        self.history = History()
        self.ending: Ending | None = None
        self.stop_reason: str | None = None
        self.num_batches_trained = self.num_images_trained = self.num_epochs_trained = 0

    def fit(self, epochs: int) -> History:
        """Train `epochs` more epochs in this thread and return the history.

        An interrupt (Ctrl-C or a notebook's interrupt button) ends the run after the current batch:
        the ending is `stopped`, and `fit` raises KeyboardInterrupt. A second interrupt raises
        KeyboardInterrupt at once, within the batch; the ending is `failed`.

        Raises:
            ValueError: if `epochs` is not a whole number of at least 1.
            RuntimeError: if this trainer is training already, or a session trains its model.
            KeyboardInterrupt: after an interrupt.
        """
        batches = self.iterate(epochs)
        with interrupts_stop(self.request_stop):
            for _ in batches:
                pass
        return self.history

    def iterate(self, epochs: int) -> Generator[BatchReport, None, None]:
        """Return an iterator that trains one batch for each `next()` and yields its report.

        The `next()` that trains the last batch of an epoch also evaluates the model and calls
        `on_epoch_end`. So the epoch is complete even if `next()` is never called again.

        Raises:
            ValueError, RuntimeError: see `fit`.
        """
        in_portions = self.iterate_in_portions(epochs)
        # a stop lets the evaluation finish: the caller gets no control between its portions
        self._stop_ends_evaluation = False

        def leave_out_portions() -> Generator[BatchReport, None, None]:
            with closing(in_portions) as reports:
                yield from (report for report in reports if report is not None)

        return leave_out_portions()

    def iterate_in_portions(self, epochs: int) -> Generator[BatchReport | None, None, None]:
        """Return an iterator like `iterate`, but yield None between two portions of an evaluation.

        Only an evaluator with `evaluate_in_portions`, such as `Evaluator`, works in portions.
        `request_stop` cancels the evaluation before its next portion; then the epoch is not
        complete.
        """
        check_epochs(epochs)
        if self.is_running:
            raise RuntimeError(_ALREADY_TRAINING)
        self.is_stop_requested = False
        self._stop_ends_evaluation = True
        self.ending = self.stop_reason = None
        return self._run(epochs)

    def request_stop(self, reason: str | None = None) -> None:
        """End the run after the current batch; callable from any thread.

        Args:
            reason: a sentence that explains the stop. The first reason of a run is kept.
        """
        self.stop_reason = self.stop_reason or reason
        self.is_stop_requested = True

    def record_next(self, *, in_full: bool = True) -> None:
        """Let `StepRecorder` train the next batch; its `BatchReport.record` is the record."""
        self._records_in_full = in_full or bool(self._records_in_full)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return count_batches(self.train_batches)

    def snapshot(self) -> Snapshot:
        """Return a copy of the state of the model, the optimizer and the loss function."""
        return Snapshot(self.model, self.optimizer, self.loss_fn)

    def restore(self, snapshot: Snapshot) -> None:
        """Restore what the snapshot holds exactly, and start a new history.

        Raises:
            RuntimeError: while training, or if the model has other parameters now.
        """
        if self.is_running:
            raise RuntimeError("Weights cannot be reset during training; stop it first.")
        snapshot.restore(self.model, self.optimizer, self.loss_fn)
        self._begin_history()
        self._call("on_reset")

    def _run(self, epochs: int) -> Generator[BatchReport | None, None, None]:
        if self.is_running:
            raise RuntimeError(_ALREADY_TRAINING)
        if (session := find_session_elsewhere(self.model)) is not None:
            session.make_way()
        with ExitStack() as at_the_end:
            at_the_end.callback(setattr, self, "is_running", False)
            self.is_running = True
            for loss_fn in (self.loss_fn, getattr(self.evaluator, "loss_fn", None)):
                at_the_end.callback(move_loss, loss_fn, move_loss(loss_fn, self.device))
            at_the_end.callback(move, self.model, self.optimizer, device_of(self.model))
            move(self.model, self.optimizer, self.device)
            self.optimizer.zero_grad()  # a failed batch may have left gradients
            for callback in reversed(self.callbacks):
                at_the_end.callback(breakable, callback.on_train_end, self)
            try:
                self.last_epoch = self.history.num_epochs + epochs
                self._is_first_batch = True  # of this run
                self._call("on_train_begin")
                for epoch in range(self.history.num_epochs + 1, self.last_epoch + 1):
                    if self.is_stop_requested:
                        break
                    yield from self._run_epoch(epoch)
                self.ending = "stopped" if self.is_stop_requested else "finished"
            except GeneratorExit:
                self.ending = "closed"
                raise
            except BaseException:
                self.ending = "failed"
                raise

    def _run_epoch(self, epoch: int) -> Generator[BatchReport | None, None, None]:
        self.model.train()
        self._call("on_epoch_begin", epoch)
        num_batches = self.num_batches
        began_s = time.perf_counter()
        with closing(iterate_epoch(self.train_batches, epoch)) as batches:
            for index, batch in enumerate(batches, 1):
                loss, record = self._train_on(batch)
                inputs = find_inputs(batch)
                num_images = 0 if inputs is None else len(inputs)
                step = self.history.add_batch(loss)
                self.num_batches_trained += 1
                self.num_images_trained += num_images
                numbers = (loss, num_images, time.perf_counter() - began_s, record)
                report = BatchReport(step, epoch, index, num_batches, *numbers)
                self._call("on_batch_end", report)
                if index == num_batches and not self.is_stop_requested:
                    # exhaust the loader first: its sampler draws its last random number only then
                    next(batches, None)
                    yield from self._end_epoch(epoch, num_batches)
                yield report
                if self.is_stop_requested:
                    return
                began_s = time.perf_counter()

    def _train_on(self, batch: object) -> tuple[float, StepRecord | None]:
        """Train one batch; return its loss, and the record of the step if one was requested."""
        in_full, self._records_in_full = self._records_in_full, None
        recorder = None if in_full is None else StepRecorder(self.train_step, in_full=in_full)
        step = recorder or self.train_step
        if self._is_first_batch:
            returned = breakable(train_first_batch, self, batch, step)
        else:
            arguments = (self.model, batch, self.loss_fn, self.optimizer, self.device)
            with explaining(self.model, find_inputs(batch)):
                returned = breakable(step, *arguments)
        self._is_first_batch = False
        return to_loss(returned), recorder.records[-1] if recorder else None

    def _end_epoch(self, epoch: int, num_batches: int) -> Generator[None, None, None]:
        train_loss = sum(self.history.batch_losses[-num_batches:]) / num_batches
        evaluation = yield from evaluate_in_portions(
            self.evaluator,
            self.model,
            self.device,
            lambda: self.is_stop_requested and self._stop_ends_evaluation,
        )
        if evaluation is None:
            return  # a stop cancelled the evaluation, so the epoch is not complete
        report = EpochReport(epoch, train_loss, *evaluation)
        self.history.add_epoch(train_loss, report.metrics)
        self.num_epochs_trained += 1
        if report.predictions is not None:
            self.last_evaluated = report
        self._call("on_epoch_end", report)

    def _call(self, hook: str, *arguments: object) -> None:
        for callback in self.callbacks:
            breakable(getattr(callback, hook), self, *arguments)
