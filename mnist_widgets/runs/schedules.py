"""Schedules: how the learning rate falls during a run.

A scheduler of torch needs the number of epochs when it is made, and does not begin again with the
chosen learning rate at the next Start: so a lab's run uses `Schedule`. The code of a run knows its
number of epochs, and shows torch's scheduler, which gives the same rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch.optim import Optimizer

from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.trainer import Trainer


def _fall_as_cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


def _fall_at_half(share: float) -> float:
    return 1.0 if share < 0.5 else 0.1


FACTORS: Mapping[str, Callable[[float], float]] = {
    "cosine": _fall_as_cosine,
    "step": _fall_at_half,
}
"""The factor of the learning rate, as a function of the share of the run's epochs that are done."""


class Schedule(Callback):
    """Multiply the learning rate by a factor that changes with each epoch.

    Each call of `fit`, and each Start, goes through the schedule from its beginning. A learning
    rate chosen during a run is multiplied too; see `change_rate`.

    Args:
        name: one of `FACTORS`.
    """

    def __init__(self, name: str) -> None:
        self._factor = FACTORS[name]
        self._num_done = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Begin the schedule."""
        self._num_done = trainer.history.num_epochs

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Set the learning rate of this epoch."""
        num_epochs = trainer.last_epoch - self._num_done
        factor = self._factor((epoch - 1 - self._num_done) / num_epochs)
        for group in trainer.optimizer.param_groups:
            rate = group.setdefault("chosen_lr", group["lr"])
            group["lr"] = rate * factor


def read_rate(optimizer: Optimizer) -> float:
    """Return the learning rate that was chosen, before the factor of a schedule."""
    return read_rates(optimizer)[0]


def read_rates(optimizer: Optimizer) -> list[float]:
    """Return the rate that was chosen for each group of parameters."""
    return [float(group.get("chosen_lr", group["lr"])) for group in optimizer.param_groups]


def change_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Choose another learning rate; the factor of a schedule stays."""
    for group in optimizer.param_groups:
        if "chosen_lr" in group:
            group["lr"] *= learning_rate / group["chosen_lr"]
            group["chosen_lr"] = learning_rate
        else:
            group["lr"] = learning_rate


def write_schedule(name: str) -> str:
    """Return the expression of torch's scheduler that does the same in a run of `epochs`."""
    if name == "cosine":
        return "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)"
    return "torch.optim.lr_scheduler.StepLR(optimizer, step_size=(epochs + 1) // 2, gamma=0.1)"
