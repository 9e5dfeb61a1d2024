"""What a `Trainer` expects of an evaluator, and how it calls one."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Protocol, TypeGuard

import torch
from torch import nn


class SupportsEvaluate(Protocol):
    """What a `Trainer` asks of an evaluator."""

    def evaluate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Return the metrics of `model`, by name."""


class SupportsPortions(SupportsEvaluate, Protocol):
    """An evaluator whose work can be interrupted."""

    def evaluate_in_portions(
        self, model: nn.Module, device: torch.device
    ) -> Generator[None, None, Mapping[str, float]]:
        """Return what `evaluate` does, and yield between two portions of at most 50 ms."""


def evaluate_in_portions(
    evaluator: SupportsEvaluate | None, model: nn.Module, device: torch.device
) -> Generator[None, None, Mapping[str, float]]:
    """Return the metrics of `model`, none without an evaluator; yield between two portions.

    An evaluator without `evaluate_in_portions` does all its work at once.
    """
    if evaluator is None:
        return {}
    if _has_portions(evaluator):
        return (yield from evaluator.evaluate_in_portions(model, device))
    return evaluator.evaluate(model, device)


def _has_portions(evaluator: SupportsEvaluate) -> TypeGuard[SupportsPortions]:
    """Return whether `evaluate_in_portions` does all that `evaluate` does.

    A class or an object that overrides `evaluate` alone may have added metrics there.
    """
    own = getattr(evaluator, "__dict__", {})
    for names in (own, *map(vars, type(evaluator).__mro__)):
        if "evaluate_in_portions" in names or "evaluate" in names:
            return "evaluate_in_portions" in names
    return False
