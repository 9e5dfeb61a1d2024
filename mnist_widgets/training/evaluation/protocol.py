"""The interface of an evaluator, and the way a `Trainer` calls it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn

from mnist_widgets.system.interrupts import breakable
from mnist_widgets.system.short_text import shorten
from mnist_widgets.training.evaluation.evaluator import Evaluator
from mnist_widgets.training.evaluation.predictions import Predictions


class SupportsEvaluate(Protocol):
    """The methods that a `Trainer` calls."""

    def evaluate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Return the metrics of `model` by name."""


class Evaluation(NamedTuple):
    """The results of one evaluation.

    Attributes:
        metrics: The metrics by name.
        predictions, train_predictions: Those that an `Evaluator` made for it; else None.
    """

    metrics: dict[str, float]
    predictions: Predictions | None = None
    train_predictions: Predictions | None = None


def evaluate_in_portions(
    evaluator: Any,  # noqa: ANN401 - SupportsEvaluate, perhaps with evaluate_in_portions
    model: nn.Module,
    device: torch.device,
    is_cancelled: Callable[[], bool],
) -> Generator[None, None, Evaluation | None]:
    """Return the evaluation of `model`, and yield between two portions.

    Args:
        evaluator: Computes the metrics; None for no metrics. It may also have a method
            `evaluate_in_portions`, which returns what `evaluate` does and yields between two
            portions of at most 50 ms; otherwise it cannot be interrupted.
        model: The network.
        device: The model's device.
        is_cancelled: Whether to stop before the next portion and return None.

    Raises:
        TypeError: The evaluator's result is not a mapping of numbers.
    """
    if evaluator is None:
        return Evaluation({})
    before = _read_predictions(evaluator)
    if not _has_portions(evaluator):
        metrics = _to_metrics(breakable(evaluator.evaluate, model, device))
        return Evaluation(metrics, *_find_new(before, _read_predictions(evaluator)))
    with closing(evaluator.evaluate_in_portions(model, device)) as portions:
        while not is_cancelled():
            try:
                breakable(next, portions)
            except StopIteration as end:
                metrics = _to_metrics(end.value)
                return Evaluation(metrics, *_find_new(before, _read_predictions(evaluator)))
            yield
    return None


def _read_predictions(evaluator: object) -> tuple[Predictions | None, Predictions | None]:
    """Return the latest predictions of an `Evaluator`, for its batches and its training batches."""
    if not isinstance(evaluator, Evaluator):
        return None, None
    # an __init__ of a subclass may leave them out
    return getattr(evaluator, "predictions", None), getattr(evaluator, "train_predictions", None)


def _find_new(
    before: tuple[Predictions | None, ...], after: tuple[Predictions | None, ...]
) -> list[Predictions | None]:
    """Return those that an evaluation made; None for those that are older."""
    return [None if new is old else new for old, new in zip(before, after, strict=True)]


def _to_metrics(found: object) -> dict[str, float]:
    """Return an evaluator's metrics as numbers by name."""
    if not isinstance(found, Mapping):
        raise TypeError(
            f"The evaluator returned {shorten(repr(found))}; it must return a dict of its metrics, "
            'such as {"test_accuracy": 0.97}.' + (" Is a return missing?" if found is None else "")
        )
    metrics = {}
    for name, value in found.items():
        try:
            metrics[name] = float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"The evaluator returned {shorten(repr(value))} as its metric {name!r}; each "
                "metric must be a single number."
            ) from error
    return metrics


def _has_portions(evaluator: object) -> bool:
    """Return whether `evaluate_in_portions` returns the same metrics as `evaluate`.

    A class or an object that overrides only `evaluate` may have added metrics there.
    """
    own = getattr(evaluator, "__dict__", {})
    for names in (own, *map(vars, type(evaluator).__mro__)):
        if "evaluate_in_portions" in names or "evaluate" in names:
            return "evaluate_in_portions" in names
    return False
