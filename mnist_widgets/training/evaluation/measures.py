"""Confusion counts, and the measures computed from them: accuracy, recall, precision, shares."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from mnist_widgets.data.tensors import ArrayLike, check_label_range, to_class_labels, to_counts
from mnist_widgets.system.arguments import to_whole


def confusion_matrix(
    true_labels: ArrayLike, predicted_labels: ArrayLike, num_classes: int = 10
) -> Tensor:
    """Count how often images of each true class were predicted as each class.

    Args:
        true_labels: integers (N,) from 0 to `num_classes` - 1; a tensor, an array or a list.
        predicted_labels: integers (N,) from 0 to `num_classes` - 1; likewise.
        num_classes: at least 1.

    Returns:
        int64 (num_classes, num_classes) on the CPU, `counts[true, predicted]`.

    Raises:
        ValueError: if the lengths differ, or the labels are no classes or no whole numbers.
    """
    true = to_class_labels(true_labels, "true labels").cpu()
    predicted = to_class_labels(predicted_labels, "predicted labels").cpu()
    if true.shape != predicted.shape or true.dim() != 1:
        raise ValueError(
            "true and predicted labels must be two tensors of equal length, not of shapes "
            f"{tuple(true.shape)} and {tuple(predicted.shape)}"
        )
    num_classes = to_whole(num_classes, "num_classes")
    check_label_range(true, num_classes, "true labels")
    check_label_range(predicted, num_classes, "predicted labels")
    pairs = true * num_classes + predicted
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def accuracy(counts: ArrayLike) -> float:
    """Return the share of right predictions, 0 to 1: the diagonal's sum over the sum of all.

    Args:
        counts: whole numbers (C, C), `counts[true, predicted]`, as a tensor, an array or a list;
            either orientation gives the same.

    Raises:
        ValueError: if all counts are 0, or `counts` are no counts.
    """
    checked = to_counts(counts)
    total = int(checked.sum())
    if total == 0:
        raise ValueError("the confusion counts are all 0: nothing has been counted yet")
    return int(checked.trace()) / total


def recall(counts: ArrayLike) -> Tensor:
    """Return for each class the share of its images that were recognized: float64 (C,), 0 to 1.

    Args:
        counts: whole numbers (C, C), `counts[true, predicted]`, as a tensor, an array or a list. A
            class without images has the recall NaN.

    Raises:
        ValueError: if `counts` are no counts.
    """
    return normalize_confusion(counts, "true").diagonal()


def precision(counts: ArrayLike) -> Tensor:
    """Return for each class the share of its predictions that are right: float64 (C,), 0 to 1.

    Args:
        counts: whole numbers (C, C), `counts[true, predicted]`, as a tensor, an array or a list. A
            class never predicted has the precision NaN.

    Raises:
        ValueError: if `counts` are no counts.
    """
    return normalize_confusion(counts, "predicted").diagonal()


def normalize_confusion(counts: ArrayLike, by: Literal["true", "predicted"]) -> Tensor:
    """Return confusion counts as shares of their true or of their predicted class.

    The diagonal then holds the `recall` or the `precision` of each class.

    Args:
        counts: whole numbers (C, C), `counts[true, predicted]`, as a tensor, an array or a list.
        by: whether a row (`"true"`) or a column (`"predicted"`) is the whole.

    Returns:
        float64 (C, C) in the order of `counts`, 0 to 1; NaN where the class has no image, or was
        never predicted.

    Raises:
        ValueError: if `counts` are no counts.
    """
    checked = to_counts(counts).double()
    return checked / checked.sum(dim=1 if by == "true" else 0, keepdim=True)
