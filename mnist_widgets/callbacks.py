"""Ready-made listeners: progress bar, early stopping, divergence guard, checkpoints.

Each hangs into `Trainer(callbacks=[...])`. The charts are callbacks too, but live with the widgets.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm  # its text stays readable in a saved notebook, a widget does not

from mnist_widgets.reports import BatchReport, EpochReport
from mnist_widgets.training import Callback, Trainer

if TYPE_CHECKING:
    import os


class ProgressBar(Callback):
    """A tqdm bar for each epoch: the running mean loss and, at its end, the evaluator's metrics."""

    def __init__(self) -> None:
        self._bar = tqdm(disable=True)
        self._loss_sum = 0.0

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Open the epoch's bar."""
        self._loss_sum = 0.0
        description = f"Epoch {epoch:2d}/{trainer.last_epoch}"
        self._bar = tqdm(total=trainer.num_batches, desc=description)

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Move the bar by one batch."""
        self._loss_sum += report.loss
        self._bar.set_postfix({"train_loss": self._loss_sum / report.batch}, refresh=False)
        self._bar.update()

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Add the metrics and leave the bar standing."""
        self._bar.set_postfix({"train_loss": report.train_loss, **report.metrics})
        self._bar.close()

    def on_train_end(self, trainer: Trainer) -> None:
        """Close the bar of an epoch that did not get to its end."""
        self._bar.close()


class EarlyStopping(Callback):
    """Stops the training once a value has not improved for `patience` epochs.

    Args:
        metric: a name in the history: `"train"` or one of the evaluator's. Lower counts as better,
            unless the name ends in `accuracy`.
        patience: epochs to wait for an improvement, at least 1.
        min_delta: what counts as an improvement must be more than this, in the metric's unit.

    Raises:
        ValueError: if `patience` is below 1 or `min_delta` below 0.
    """

    def __init__(
        self, metric: str = "test_loss", patience: int = 3, min_delta: float = 0.0
    ) -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1 epoch, not {patience!r}")
        if min_delta < 0:
            raise ValueError(f"min_delta must not be negative, but is {min_delta!r}")
        self.metric = metric
        self.patience = patience
        self.min_delta = min_delta
        self._best = math.inf
        self._epochs_without_improvement = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Start counting anew."""
        self._best = math.inf
        self._epochs_without_improvement = 0

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Compare with the best so far and ask for a stop when patience is at its end.

        Raises:
            ValueError: if the history knows no such metric.
        """
        badness = _badness(trainer, self.metric)
        if badness < self._best - self.min_delta:
            self._best = badness
            self._epochs_without_improvement = 0
            return
        self._epochs_without_improvement += 1
        if self._epochs_without_improvement >= self.patience:
            trainer.request_stop(
                f"Stopped early after epoch {report.epoch}: {self.metric} has not improved for "
                f"{self.patience} epoch{'s' if self.patience > 1 else ''}."
            )


class DivergenceGuard(Callback):
    """Stops the training as soon as a loss is not finite, and says what that probably means."""

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Look at the batch's loss."""
        if not math.isfinite(report.loss):
            trainer.request_stop(
                f"The loss became {report.loss} in epoch {report.epoch}, batch {report.batch}: the "
                "training diverged. The learning rate is probably too high. Start again from fresh "
                "weights with a smaller one."
            )


class Checkpoint(Callback):
    """Saves the model's weights after each epoch that is the best so far.

    Load them again with `model.load_state_dict(torch.load(path))`.

    Args:
        path: the file to write; its folder must exist.
        metric: as for `EarlyStopping`.
    """

    def __init__(self, path: str | os.PathLike[str], metric: str = "test_loss") -> None:
        self.path = Path(path)
        self.metric = metric
        self._best = math.inf

    def on_reset(self, trainer: Trainer) -> None:
        """Start comparing anew."""
        self._best = math.inf

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Write the weights if they are the best so far.

        Raises:
            ValueError: if the history knows no such metric.
        """
        badness = _badness(trainer, self.metric)
        if badness < self._best:
            self._best = badness
            torch.save(trainer.model.state_dict(), self.path)


def _badness(trainer: Trainer, metric: str) -> float:
    """Return the metric's last value, turned so that lower is better."""
    if metric not in trainer.history:
        known = ", ".join(map(repr, trainer.history))
        raise ValueError(
            f"The history has no {metric!r}, only {known}. An evaluator's metrics are in it if the "
            "Trainer was given one."
        )
    value = trainer.history[metric][-1]
    return -value if metric.endswith("accuracy") else value
