"""A network and an optimizer that record a student's training step, and a reference model."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LEARNING_RATE = 0.5
SMALL = 1e-5  # tolerance for another order of additions


class RecordingNet(nn.Module):
    """A network with four inputs and three scores that records its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(4, 6)
        self.linear2 = nn.Linear(6, 3)
        self.num_calls = 0
        self.is_training = True
        self.scores: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return scores and record the mode."""
        scores: Tensor = self.linear2(self.linear1(inputs).relu())
        self.num_calls += 1
        self.is_training &= self.training
        self.scores = scores.detach()
        return scores


class ReferenceModel:
    """A copy of the network that is trained correctly, or without setting gradients to zero."""

    def __init__(self, network: RecordingNet) -> None:
        self.network = deepcopy(network)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=LEARNING_RATE)

    def train(self, batch: list[Tensor]) -> None:
        """Make one update."""
        functional.cross_entropy(self.network(batch[0]), batch[1]).backward()
        self.optimizer.step()

    def equals(self, network: nn.Module) -> bool:
        """Whether another network has the same weights."""
        return torch.allclose(_join(self.network), _join(network), atol=SMALL)

    def compare_with(self, network: nn.Module) -> str:
        """Describe the weight that differs most."""
        ours, theirs = _join(self.network), _join(network)
        worst = (ours - theirs).abs().argmax()
        return f"expected a weight to become {ours[worst]:.5f}, found {theirs[worst]:.5f}"


class RecordingSGD(torch.optim.SGD):
    """An optimizer that records its steps."""

    def __init__(self, model: nn.Module, events: list[str]) -> None:
        super().__init__(model.parameters(), lr=LEARNING_RATE)
        self._events = events

    def step(self, closure: Any = None) -> Any:  # noqa: ANN401 - as in torch
        """Record the step and make it."""
        self._events.append("step")
        return super().step(closure)


def _join(network: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach()
