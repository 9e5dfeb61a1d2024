"""Ready-made callbacks: progress bar, early stopping, divergence guard, checkpoints, schedulers.

Pass them as `Trainer(callbacks=[...])`. The charts in `widgets` are callbacks too.
"""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm import tqdm  # text, because a widget cannot be read in a saved notebook

from mnist_widgets.system.arguments import to_finite, to_whole
from mnist_widgets.system.user_warnings import warn_user
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.metric_names import Mode, check_metric, choose_mode, read_last
from mnist_widgets.training.reports import BatchReport, EpochReport
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.training.weight_files import save_weights

if TYPE_CHECKING:
    import os


class ProgressBar(Callback):
    """Show a tqdm bar for each epoch, with the mean loss so far and finally the metrics."""

    def __init__(self) -> None:
        self._bar = tqdm(disable=True)
        self._loss_sum = 0.0

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Open the epoch's bar."""
        self._loss_sum = 0.0
        description = f"Epoch {epoch:2d}/{trainer.last_epoch}"
        self._bar = tqdm(total=trainer.num_batches, desc=description)

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Advance the bar by one batch."""
        self._loss_sum += report.loss
        self._bar.set_postfix({"train_loss": self._loss_sum / report.batch}, refresh=False)
        self._bar.update()

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Show the metrics and close the bar, which stays visible."""
        self._bar.set_postfix({"train_loss": report.train_loss, **report.metrics})
        self._bar.close()

    def on_train_end(self, trainer: Trainer) -> None:
        """Close the bar of an incomplete epoch."""
        self._bar.close()


class _BestMetricCallback(Callback):
    """Base class: compares a metric of each epoch with its best value so far."""

    def __init__(self, metric: str, mode: Mode | None) -> None:
        self.metric = metric
        self.mode = choose_mode(metric, mode)
        self._lowest_cost = math.inf

    def _has_improved(self, value: float, min_delta: float = 0.0) -> bool:
        """Return whether a value is the best so far; if it is, keep it as the best."""
        cost = -value if self.mode == "max" else value
        has_improved = cost < self._lowest_cost - min_delta
        if has_improved:
            self._lowest_cost = cost
        return has_improved


class EarlyStopping(_BestMetricCallback):
    """Stop the training when a metric has not improved for `patience` epochs.

    Args:
        metric: A name in the history: `"train"`, the mean training loss, or one of the evaluator's.
        patience: Number of epochs to wait for an improvement, at least 1. Epochs in which the
            evaluator does not measure the metric do not count; the first in which it measures
            anything must have it.
        min_delta: The smallest change that counts as an improvement, in the metric's unit.
        mode: `"min"` if lower values are better, `"max"` if higher values are. Optional for names
            that end in `loss` or `error`, and in `accuracy`, `acc`, `f1`, `precision`, `recall`,
            `auc` or `score`.

    Raises:
        ValueError: `patience` is no whole number of at least 1, `min_delta` is negative or not
            finite, or `mode` is missing or unknown.
    """

    def __init__(
        self,
        metric: str = "test_loss",
        patience: int = 3,
        min_delta: float = 0.0,
        mode: Mode | None = None,
    ) -> None:
        super().__init__(metric, mode)
        self.patience = to_whole(patience, "patience")
        self.min_delta = to_finite(min_delta, "min_delta")
        self._epochs_without_improvement = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Forget the best value of an earlier run.

        Raises:
            ValueError: The evaluator is known to compute no such metric.
        """
        check_metric(trainer.evaluator, self.metric)
        self._lowest_cost = math.inf
        self._epochs_without_improvement = 0

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Request a stop after `patience` epochs without an improvement.

        Raises:
            ValueError: The history has no such metric.
        """
        value = read_last(trainer, report, self.metric)
        if value is None:
            return
        improved = self._has_improved(value, self.min_delta)
        self._epochs_without_improvement = 0 if improved else self._epochs_without_improvement + 1
        if self._epochs_without_improvement >= self.patience:
            trainer.request_stop(
                f"Stopped early after epoch {report.epoch}: {self.metric} has not improved for "
                f"{self.patience} epoch{'s' if self.patience > 1 else ''}."
            )


class DivergenceGuard(Callback):
    """Stop the training when the loss is infinite or NaN, and explain the probable cause."""

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Check the batch's loss."""
        if not math.isfinite(report.loss):
            trainer.request_stop(
                f"The loss became {report.loss} in epoch {report.epoch}, batch {report.batch}: the "
                "training diverged. The learning rate is probably too high. Start again from fresh "
                "weights with a smaller one."
            )


class Checkpoint(_BestMetricCallback):
    """Save the model's weights after each epoch that is the best so far.

    Load them with `model.load_state_dict(torch.load(path))`. The wrappers of `torch.compile` and
    `DataParallel` are not saved, so the parameters have the names of the plain model, also where
    only a part of it is wrapped.

    Args:
        path: The file to write; its folder must exist. A symbolic link stays: the file that it
            names is written.
        metric: As for `EarlyStopping`.
        mode: As for `EarlyStopping`.

    Raises:
        ValueError: `mode` is missing or unknown.
    """

    def __init__(
        self, path: str | os.PathLike[str], metric: str = "test_loss", mode: Mode | None = None
    ) -> None:
        super().__init__(metric, mode)
        self.path = Path(path)

    def on_train_begin(self, trainer: Trainer) -> None:
        """Check that the file can be written.

        Raises:
            ValueError: The evaluator is known to compute no such metric.
            FileNotFoundError: The folder does not exist.
            IsADirectoryError: The path is a folder.
        """
        check_metric(trainer.evaluator, self.metric)
        problem = f"Checkpoint cannot write {str(self.path)!r}"
        folder = self.path.resolve().parent  # that of the file, where the path is a symbolic link
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{problem}: there is no folder {str(folder)!r}. Create it first, for "
                "example with Path(folder).mkdir(parents=True, exist_ok=True)."
            )
        if self.path.is_dir():
            raise IsADirectoryError(
                f'{problem}: it is a folder. Add a file name such as "best.pt".'
            )

    def on_reset(self, trainer: Trainer) -> None:
        """Forget the best value."""
        self._lowest_cost = math.inf

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Save the weights if they are the best so far; warn if the metric is NaN.

        An epoch in which the metric was not measured saves none.

        Raises:
            ValueError: The history has no such metric.
        """
        value = read_last(trainer, report, self.metric)
        if value is None:
            return
        if self._has_improved(value):
            save_weights(trainer.model, self.path)
        elif math.isnan(value):
            warn_user(f"Checkpoint saves no weights of an epoch whose {self.metric} is NaN.")


class LearningRateScheduler(Callback):
    """Step a scheduler of `torch.optim.lr_scheduler` after each epoch or each batch.

    A reset restores the state that the scheduler had when this callback was created, and the
    optimizer's learning rates.

    Example:
        ```python
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
        Trainer(..., callbacks=[LearningRateScheduler(scheduler)])
        ```

    Args:
        scheduler: Changes the learning rates of the trainer's optimizer.
        every: `"epoch"` or `"batch"`.
        metric: The metric that a `ReduceLROnPlateau` observes; a name as for `EarlyStopping`.

    Raises:
        TypeError: `scheduler` is not a scheduler.
        ValueError: `every` is neither of these, or it is `"batch"` for a `ReduceLROnPlateau`.
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
                "ReduceLROnPlateau needs a metric of each epoch; use it with every='epoch'."
            )
        self.scheduler = scheduler
        self.every = every
        self.metric = metric
        self._initial_state = deepcopy(scheduler.state_dict())

    def on_train_begin(self, trainer: Trainer) -> None:
        """Check that the scheduler belongs to the trainer's optimizer.

        Raises:
            ValueError: It belongs to another optimizer, or the evaluator is known not to compute
                the metric of a `ReduceLROnPlateau`.
        """
        if isinstance(self.scheduler, ReduceLROnPlateau):
            check_metric(trainer.evaluator, self.metric)
        if self.scheduler.optimizer is not trainer.optimizer:
            raise ValueError(
                "The scheduler changes the learning rate of another optimizer. Create it with the "
                "optimizer of the Trainer."
            )

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Step the scheduler if `every` is `"batch"`."""
        if self.every == "batch":
            self.scheduler.step()

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Step the scheduler if `every` is `"epoch"`.

        A `ReduceLROnPlateau` makes no step after an epoch in which its metric was not measured.

        Raises:
            ValueError: The history does not have the metric of a `ReduceLROnPlateau`.
        """
        if isinstance(self.scheduler, ReduceLROnPlateau):
            value = read_last(trainer, report, self.metric)
            if value is not None:
                self.scheduler.step(value)
        elif self.every == "epoch":
            self.scheduler.step()

    def on_reset(self, trainer: Trainer) -> None:
        """Restore the scheduler's initial state."""
        self.scheduler.load_state_dict(deepcopy(self._initial_state))
