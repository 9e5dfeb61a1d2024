"""The hooks of a training: subclass `Callback` to observe it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_widgets.training.reports import BatchReport, EpochReport
    from mnist_widgets.training.trainer import Trainer


class Callback:
    """Observe a training run: override the hooks you need; here they do nothing.

    Hooks run in the training thread between two batches, so keep them short. An error in a hook
    ends the run as any other error does. To stop the run, call `trainer.request_stop(reason)`.
    """

    def on_train_begin(self, trainer: Trainer) -> None:
        """Called once before the first batch, with the model on its device."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Called before the first batch of each epoch; epochs count from 1."""

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Called after each batch's update; the history already holds its loss."""

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Called after each whole epoch and its evaluation; the history already holds both."""

    def on_train_end(self, trainer: Trainer) -> None:
        """Called once at the end of every run; `trainer.ending` says how it ended."""

    def on_reset(self, trainer: Trainer) -> None:
        """Called after weights, optimizer and history are reset."""


def list_callbacks(callbacks: object) -> list[Callback]:
    """Return several callbacks as a list.

    Raises:
        TypeError: if it is a single one, or something else.
    """
    if isinstance(callbacks, Iterable):
        return list(callbacks)
    name = type(callbacks).__name__
    raise TypeError(f"callbacks must be a list, such as [HealthMonitor()], not a single {name}.")
