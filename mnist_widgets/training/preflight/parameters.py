"""The parameters of a model and of its optimizer."""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer


def find_missing(model: nn.Module, optimizer: Optimizer) -> list[str]:
    """Return the names of the trainable parameters that the optimizer does not have.

    There are none if the optimizer has no groups of parameters: then it is unknown which it has.
    """
    groups = getattr(optimizer, "param_groups", [])
    held = {id(parameter) for group in groups for parameter in group["params"]}
    return [
        name
        for name, parameter in model.named_parameters()
        if held and parameter.requires_grad and id(parameter) not in held
    ]


def count_trainable(model: nn.Module) -> int:
    """Return how many parameter tensors of a model are trainable."""
    return sum(parameter.requires_grad for parameter in model.parameters())
