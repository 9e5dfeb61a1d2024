"""The loss of each image of a batch, computed from the outputs and targets that the loss got."""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mnist_widgets.training.evaluation.loss_kinds import find_loss_kind
from mnist_widgets.training.training_step import LossFunction


def is_torch_loss(loss_fn: object) -> bool:
    """Return whether a loss is exactly one of torch, which can be called again without a trace.

    Another one may count its calls, draw random numbers or compute something else.
    """
    return find_loss_kind(loss_fn).module is not nn.Module


def compute_image_losses(
    loss_fn: LossFunction, outputs: Tensor, targets: Tensor, loss: float
) -> Tensor | None:
    """Return the loss of each image (B,), if the batch's loss is their mean or their sum.

    Args:
        loss_fn: of the step; only a loss of torch is called.
        outputs: (B, ...).
        targets: (B, ...).
        loss: of the batch.
    """
    if not is_torch_loss(loss_fn):
        return None
    with torch.no_grad():
        losses = _without_reduction(loss_fn)(outputs, targets)
    if losses.shape[:1] != outputs.shape[:1]:
        return None
    losses = losses.flatten(1).mean(dim=1) if losses.dim() > 1 else losses
    whole = torch.stack([losses.mean(), losses.sum()])
    fits = torch.isclose(whole, torch.full_like(whole, loss), 1e-4, 1e-6, equal_nan=True)
    return losses if fits.any() else None  # not, for example, with weights of the classes


def _without_reduction(loss_fn: LossFunction) -> LossFunction:
    if isinstance(loss_fn, nn.Module):
        without: Any = copy(loss_fn)
        without.reduction = "none"
        return without.forward  # type: ignore[no-any-return]
    return partial(loss_fn, reduction="none")  # type: ignore[call-arg]
