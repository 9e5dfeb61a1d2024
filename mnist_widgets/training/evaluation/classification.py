"""Check that outputs and targets are those of a classification, which an `Evaluator` measures."""

from __future__ import annotations

from torch import Tensor

from mnist_widgets.data.digit_set import Batches, find_class_names

_ROW_SUM_TOLERANCE = 0.02  # of bfloat16

OTHER_TASKS = (
    "Evaluator is for classification. For another task, pass a subclass that overrides evaluate, "
    "or an object of your own with evaluate(model, device), which returns a dict of numbers."
)
"""What to do where an `Evaluator` cannot measure a model."""


def count_classes(outputs: Tensor) -> int:
    """Return the number of classes that outputs (B, C), (B, 1) or (B,) are for."""
    return 2 if outputs.numel() == len(outputs) else outputs.shape[1]


def check_num_classes(batches: object, outputs: Tensor) -> None:
    """Check that there is an output for each class of the data, if its classes have names.

    A `DataLoader` may make fewer classes of those that its data set names.

    Raises:
        ValueError: There are more outputs, or, for `Batches`, fewer.
    """
    names = find_class_names(batches)
    if names is None:
        return
    num_classes, num_named = count_classes(outputs), len(names)
    may_be_fewer = not isinstance(batches, Batches)
    if num_classes > num_named or (num_classes < num_named and not may_be_fewer):
        raise ValueError(
            f"The model's outputs have the shape {tuple(outputs.shape)}, which means {num_classes} "
            f"classes, but the evaluator's data has {num_named} classes. {OTHER_TASKS}"
        )


def describe_surplus(batches: object, outputs: Tensor) -> str | None:
    """Return that there are more outputs than classes, which have names; None if there are not."""
    names = find_class_names(batches)
    num_classes = count_classes(outputs)
    if names is None or num_classes <= len(names):
        return None
    return (
        f"The model has {num_classes} outputs for each image, but the evaluator's data has "
        f"{len(names)} classes. If the outputs are scores of classes, {len(names)} are enough. "
        f"{OTHER_TASKS}"
    )


def are_class_rows(targets: Tensor) -> bool:
    """Return whether targets (B, C) are one-hot, of any two numbers, or shares of the classes."""
    targets = targets.float()
    is_share = (targets.sum(dim=1) - 1).abs() <= _ROW_SUM_TOLERANCE
    return len(targets.unique()) <= 2 or bool(is_share.all())
