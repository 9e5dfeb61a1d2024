"""Ready-made callbacks: progress bar, early stopping, divergence guard, checkpoints, schedulers.

Pass them as `Trainer(callbacks=[...])`. The charts are callbacks too, but live with the widgets.
"""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm import tqdm  # its text stays readable in a saved notebook, a widget does not

from mnist_widgets.reports import BatchReport, EpochReport
from mnist_widgets.training import Callback, Trainer
from mnist_widgets.weight_files import save_weights

if TYPE_CHECKING:
    import os

Mode: TypeAlias = Literal["min", "max"]

_LOWER_IS_BETTER = ("loss", "error")
_HIGHER_IS_BETTER = ("accuracy", "acc", "f1", "precision", "recall", "auc", "score")


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
        metric: a name in the history: `"train"`, the mean training loss, or one of the evaluator's.
        patience: epochs to wait for an improvement, at least 1.
        min_delta: what counts as an improvement must be more than this, in the metric's unit.
        mode: `"min"` if lower values are better, `"max"` if higher ones are. It can be left out for
            names that end in `loss` or `error`, and in `accuracy`, `acc`, `f1`, `precision`,
            `recall`, `auc` or `score`.

    Raises:
        ValueError: if `patience` is below 1, `min_delta` below 0, or `mode` is missing or unknown.
    """

    def __init__(
        self,
        metric: str = "test_loss",
        patience: int = 3,
        min_delta: float = 0.0,
        mode: Mode | None = None,
    ) -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1 epoch, not {patience!r}")
        if min_delta < 0:
            raise ValueError(f"min_delta must not be negative, but is {min_delta!r}")
        self.metric = metric
        self.patience = patience
        self.min_delta = min_delta
        self.mode = _choose_mode(metric, mode)
        self._lowest_cost = math.inf
        self._epochs_without_improvement = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Start counting anew."""
        self._lowest_cost = math.inf
        self._epochs_without_improvement = 0

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Compare with the best so far and request a stop when patience is at its end.

        Raises:
            ValueError: if the history knows no such metric.
        """
        cost = _read_cost(trainer, self.metric, self.mode)
        if cost < self._lowest_cost - self.min_delta:
            self._lowest_cost = cost
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

    Load them again with `model.load_state_dict(torch.load(path))`. A model that `torch.compile` or
    `DataParallel` wraps is saved without its wrapper, under its own parameter names.

    Args:
        path: the file to write; its folder must exist.
        metric: as for `EarlyStopping`.
        mode: as for `EarlyStopping`.

    Raises:
        ValueError: if `mode` is missing or unknown.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        metric: str = "test_loss",
        mode: Mode | None = None,
    ) -> None:
        self.path = Path(path)
        self.metric = metric
        self.mode = _choose_mode(metric, mode)
        self._lowest_cost = math.inf

    def on_train_begin(self, trainer: Trainer) -> None:
        """Check that the file can be written.

        Raises:
            FileNotFoundError: if there is no such folder.
            IsADirectoryError: if the path itself is a folder.
        """
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"Checkpoint cannot write {str(self.path)!r}: there is no folder "
                f"{str(self.path.parent)!r}. Create it first, for example with "
                "Path(folder).mkdir(parents=True, exist_ok=True)."
            )
        if self.path.is_dir():
            raise IsADirectoryError(
                f"Checkpoint cannot write {str(self.path)!r}: it is a folder. Add a file name, "
                'such as "best.pt".'
            )

    def on_reset(self, trainer: Trainer) -> None:
        """Start comparing anew."""
        self._lowest_cost = math.inf

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Write the weights if they are the best so far.

        Raises:
            ValueError: if the history knows no such metric.
        """
        cost = _read_cost(trainer, self.metric, self.mode)
        if cost < self._lowest_cost:
            save_weights(trainer.model, self.path)
            self._lowest_cost = cost


class LearningRateScheduler(Callback):
    """Steps a scheduler of `torch.optim.lr_scheduler` after each epoch or each batch.

    A Reset puts the scheduler back to the state that it had when this callback was made, together
    with the optimizer's learning rates.

    Example:
        ```python
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
        Trainer(..., callbacks=[LearningRateScheduler(scheduler)])
        ```

    Args:
        scheduler: changes the learning rates of the trainer's optimizer.
        every: `"epoch"` or `"batch"`.
        metric: what a `ReduceLROnPlateau` watches, a name as for `EarlyStopping`.

    Raises:
        TypeError: if `scheduler` is not a scheduler.
        ValueError: if `every` is neither, or a `ReduceLROnPlateau` would be stepped every batch.
    """

    def __init__(
        self,
        scheduler: LRScheduler,
        every: Literal["epoch", "batch"] = "epoch",
        *,
        metric: str = "test_loss",
    ) -> None:
        if not isinstance(scheduler, LRScheduler):
            raise TypeError(
                "scheduler must be a scheduler of torch.optim.lr_scheduler, such as "
                f"StepLR(optimizer, step_size=2), not {scheduler!r}"
            )
        if every not in ("epoch", "batch"):
            raise ValueError(f"every must be 'epoch' or 'batch', not {every!r}")
        if every == "batch" and isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(
                "ReduceLROnPlateau watches a metric of each epoch; use it with every='epoch'."
            )
        self.scheduler = scheduler
        self.every = every
        self.metric = metric
        self._beginning = deepcopy(scheduler.state_dict())

    def on_train_begin(self, trainer: Trainer) -> None:
        """Check that the scheduler belongs to the trainer's optimizer.

        Raises:
            ValueError: if it changes the learning rates of another one.
        """
        if self.scheduler.optimizer is not trainer.optimizer:
            raise ValueError(
                "The scheduler changes the learning rate of another optimizer. Make it with the "
                "optimizer that the Trainer was given."
            )

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Step the scheduler if it counts batches."""
        if self.every == "batch":
            self.scheduler.step()

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Step the scheduler if it counts epochs.

        Raises:
            ValueError: if the history does not know the metric of a `ReduceLROnPlateau`.
        """
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(_read_last(trainer, self.metric))
        elif self.every == "epoch":
            self.scheduler.step()

    def on_reset(self, trainer: Trainer) -> None:
        """Put the scheduler back to its beginning."""
        self.scheduler.load_state_dict(deepcopy(self._beginning))


def _choose_mode(metric: str, mode: object) -> Mode:
    """Return whether the metric's lower or higher values are better."""
    if mode is not None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
        return "min" if mode == "min" else "max"
    if metric == "train" or metric.lower().endswith(_LOWER_IS_BETTER):
        return "min"
    if metric.lower().endswith(_HIGHER_IS_BETTER):
        return "max"
    raise ValueError(
        f"Are lower or higher values of {metric!r} better? The name does not say, so pass "
        "mode='min' or mode='max'."
    )


def _read_last(trainer: Trainer, metric: str) -> float:
    if metric not in trainer.history:
        known = ", ".join(map(repr, trainer.history))
        raise ValueError(
            f"The history has no {metric!r}, only {known}. An evaluator's metrics are in it if the "
            "Trainer was given one."
        )
    return trainer.history[metric][-1]


def _read_cost(trainer: Trainer, metric: str, mode: Mode) -> float:
    """Return the metric's last value, with its sign changed if higher is better."""
    value = _read_last(trainer, metric)
    return -value if mode == "max" else value
