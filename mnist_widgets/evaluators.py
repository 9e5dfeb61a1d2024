"""The interface of a `Trainer`'s evaluator, and how a `Trainer` calls one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Protocol, TypeGuard

import torch
from torch import nn

from mnist_widgets.interrupts import breakable


class SupportsEvaluate(Protocol):
    """The methods that a `Trainer` calls."""

    def evaluate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Return the metrics of `model`, by name."""


class SupportsPortions(SupportsEvaluate, Protocol):
    """An evaluator whose work can be interrupted."""

    def evaluate_in_portions(
        self, model: nn.Module, device: torch.device
    ) -> Generator[None, None, Mapping[str, float]]:
        """Return what `evaluate` does, and yield between two portions of at most 50 ms."""


def evaluate_in_portions(
    evaluator: SupportsEvaluate | None,
    model: nn.Module,
    device: torch.device,
    is_cancelled: Callable[[], bool],
) -> Generator[None, None, Mapping[str, float] | None]:
    """Return the metrics of `model`, and yield between two portions.

    Args:
        evaluator: gives the metrics; without one there are none. If it has no
            `evaluate_in_portions`, it does all its work at once.
        model: the network.
        device: where it is.
        is_cancelled: whether to end before the next portion and return None.
    """
    if evaluator is None:
        return {}
    if not _has_portions(evaluator):
        return breakable(evaluator.evaluate, model, device)
    with closing(evaluator.evaluate_in_portions(model, device)) as portions:
        while not is_cancelled():
            try:
                breakable(next, portions)
            except StopIteration as end:
                metrics: Mapping[str, float] = end.value
                return metrics
            yield
    return None


def _has_portions(evaluator: SupportsEvaluate) -> TypeGuard[SupportsPortions]:
    """Return whether `evaluate_in_portions` does all that `evaluate` does.

    A class or an object that overrides `evaluate` alone may have added metrics there.
    """
    own = getattr(evaluator, "__dict__", {})
    for names in (own, *map(vars, type(evaluator).__mro__)):
        if "evaluate_in_portions" in names or "evaluate" in names:
            return "evaluate_in_portions" in names
    return False
