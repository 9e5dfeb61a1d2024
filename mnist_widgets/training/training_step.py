"""The usual training step: one batch, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
TrainStep: TypeAlias = Callable[[nn.Module, Any, LossFunction, Optimizer, torch.device], float]


def train_step(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    loss_fn: LossFunction,
    optimizer: Optimizer,
    device: torch.device,
) -> float:
    """Train on one batch: forward, loss, backward, update.

    Args:
        model: the network, in training mode and on `device`.
        batch: inputs (B, ...) and their targets (B, ...), on any device.
        loss_fn: takes the network's outputs and the targets, returns one number.
        optimizer: has the parameters of `model`, whose gradients are zero before and after.
        device: the device for the computation.

    Returns:
        The loss of this batch, before the update.
    """
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def to_loss(returned: object) -> float:
    """Return what a training step returned as a number.

    Raises:
        TypeError: if it is not a number.
    """
    if isinstance(returned, Tensor):
        returned = returned.detach()  # torch warns of a tensor with a gradient
    try:
        return float(returned)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        message = f"train_step must return the loss of its batch as a number, not {returned!r}"
        raise TypeError(message) from error
