"""The tutorial's own function, for code that was written along with it.

It is a `Trainer` with a progress bar; whoever wants to look on or to steer uses those two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from mnist_widgets.callbacks import ProgressBar
from mnist_widgets.evaluators import SupportsEvaluate
from mnist_widgets.training import (
    Callback,
    LossFunction,
    Trainer,
    TrainStep,
    train_step,
)


def trainer(
    model: nn.Module,
    loader: Iterable[Any],
    loss_fn: LossFunction,
    optimizer: Optimizer,
    epochs: int,
    evaluator: SupportsEvaluate | None = None,
    train_step: TrainStep = train_step,
    callbacks: Iterable[Callback] = (),
) -> dict[str, list[float]]:
    """Train as the tutorial does: on the best device, with a progress bar for each epoch.

    Args:
        model: the network; returns to its device whatever happens.
        loader: gives the batches of an epoch each time it is iterated, and knows their number.
        loss_fn: takes outputs and targets, gives one number.
        optimizer: holds the model's parameters.
        epochs: how many, at least 1.
        evaluator: its `evaluate(model, device)` gives metrics after each epoch.
        train_step: trains one batch and returns its loss.
        callbacks: further listeners.

    Returns:
        One list with a number for each epoch: the mean of the batch losses under `"train"`, and
        each metric under its name.
    """
    run = Trainer(
        model,
        loss_fn,
        optimizer,
        loader,
        evaluator=evaluator,
        callbacks=[ProgressBar(), *callbacks],
        train_step=train_step,
    )
    print(f"===== Training on {run.device.type} device =====")
    return run.fit(epochs)
