"""The tutorial's `trainer` function: a `Trainer` with a progress bar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from mnist_widgets.training.callbacks import ProgressBar
from mnist_widgets.training.evaluation.protocol import SupportsEvaluate
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.training.training_step import LossFunction, TrainStep, train_step


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
        model: The network; it returns to its device even after an error.
        loader: The batches of an epoch, such as a `DataLoader`; must have a length.
        loss_fn: Computes a single number from outputs and targets.
        optimizer: Updates the model's parameters.
        epochs: The number of epochs, at least 1.
        evaluator: Its `evaluate(model, device)` computes metrics after each epoch.
        train_step: Trains on one batch and returns its loss.
        callbacks: Further callbacks.

    Returns:
        Lists with one number for each epoch: the mean of the batch losses as `"train"`, and each
        metric under its name.
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
