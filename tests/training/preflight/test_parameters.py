"""The parameters that an optimizer lacks are named."""

from __future__ import annotations

import torch
from torch import nn

from mnist_widgets.training.preflight.parameters import count_trainable, find_missing


class OwnOptimizer:
    """Has no groups of parameters."""


def test_only_trainable_parameters_can_be_missing():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    whole, part = (torch.optim.SGD(held.parameters(), 0.1) for held in (model, model[1]))
    assert find_missing(model, whole) == []
    assert find_missing(model, part) == ["0.weight", "0.bias"]
    model[0].weight.requires_grad_(False)
    assert find_missing(model, part) == ["0.bias"]
    assert count_trainable(model) == 3
    assert find_missing(model, OwnOptimizer()) == []
