"""The names of metrics: which of them a training has, and in which direction they are better."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

from mnist_widgets.training.evaluation.evaluator import Evaluator
from mnist_widgets.training.reports import EpochReport
from mnist_widgets.training.trainer import Trainer

Mode: TypeAlias = Literal["min", "max"]

_LOWER_IS_BETTER = ("loss", "error")
_HIGHER_IS_BETTER = ("accuracy", "acc", "f1", "precision", "recall", "auc", "score")


def choose_mode(metric: str, mode: Mode | None) -> Mode:
    """Return `mode`, or without one the mode that the metric's name implies."""
    if mode in ("min", "max"):
        return mode
    if mode is not None:
        raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
    if metric == "train" or metric.lower().endswith(_LOWER_IS_BETTER):
        return "min"
    if metric.lower().endswith(_HIGHER_IS_BETTER):
        return "max"
    raise ValueError(
        f"Are lower or higher values of {metric!r} better? The name does not say, so pass "
        "mode='min' or mode='max'."
    )


def check_metric(evaluator: object, metric: str) -> None:
    """Check before a run that its history will have a metric of `Evaluator`.

    Other metrics are not checked, because a callback may add them to the history.

    Args:
        evaluator: The trainer's, or None.
        metric: A name in the history.

    Raises:
        ValueError: The evaluator does not compute it.
    """
    if metric not in ("test_loss", "test_accuracy", "train_accuracy"):
        return
    if type(evaluator) is Evaluator:
        _check_name(metric, ["train", *evaluator.metric_names])
    elif evaluator is None:
        _check_name(metric, ["train"])


def read_last(trainer: Trainer, report: EpochReport, metric: str) -> float | None:
    """Return the value of a metric in the epoch of `report`; None if it was not measured then.

    Raises:
        ValueError: The history does not have it, although the evaluator has measured something.
    """
    history = trainer.history
    if trainer.evaluator is None or report.metrics:
        _check_name(metric, history)
    values = history.get(metric, [])
    return values[-1] if len(values) >= history.num_epochs else None


def _check_name(metric: str, known: Collection[str]) -> None:
    if metric not in known:
        raise ValueError(
            f"The history has no {metric!r}, only {', '.join(map(repr, known))}. Metrics such as "
            "'test_loss' need a Trainer with an evaluator."
        )
