"""Convert images, labels, counts and class names from tensors, arrays or lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ArrayLike: TypeAlias = Tensor | NDArray[Any] | Sequence[Any]
"""Numbers as a tensor, an array or nested lists."""


def to_tensor(values: object, name: str, float_type: torch.dtype | None = None) -> Tensor:
    """Convert an array or a list of numbers to a tensor; return a tensor unchanged.

    Args:
        values: The numbers. The tensor shares an array's memory if torch allows it.
        name: The name of the values in an error message, such as `"images"`.
        float_type: That of a list of floats; by default torch's default type. Arrays keep theirs.

    Raises:
        ValueError: The values are not numbers, or are lists of unequal lengths.
    """
    if isinstance(values, Tensor):
        return values
    try:
        if isinstance(values, (list, tuple)) and _hold(values, Tensor):
            return torch.stack([to_tensor(each, name) for each in values])
        array = np.asarray(values)
        if array.dtype.kind not in "buif":
            raise TypeError  # noqa: TRY301 - replaced by the message below
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if not array.flags.writeable or any(stride < 0 for stride in array.strides):
            array = array.copy()  # torch supports neither
        tensor = torch.from_numpy(array)
        if isinstance(values, (list, tuple)) and array.dtype.kind == "f":
            has_own_type = _hold(values, (np.ndarray, np.generic))
            return tensor if has_own_type else tensor.to(float_type or torch.get_default_dtype())
        return tensor
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{name} must be a tensor, an array or a list of numbers, not {_describe(values)}."
        ) from error


def to_images(values: object) -> Tensor:
    """Convert images to a tensor; lists of integers from 0 to 255 become uint8.

    Raises:
        ValueError: The images are not numbers.
    """
    images = to_tensor(values, "images")
    if isinstance(values, (list, tuple)) and images.dtype == torch.int64 and images.numel():
        pixels = images.to(torch.uint8)
        return pixels if pixels.equal(images) else images
    return images


def to_class_labels(values: object, name: str = "labels") -> Tensor:
    """Convert labels of any integer type to int64.

    Raises:
        ValueError: The labels are not integers.
    """
    labels = to_tensor(values, name)
    if labels.numel() == 0 and not isinstance(values, Tensor):
        labels = labels.long()  # an empty list has no type
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(
            f"The {name} are {labels.dtype} of shape {tuple(labels.shape)}; they must be whole "
            "numbers, such as a torch.int64 tensor of shape (N,)."
        )
    return labels.long()


def check_label_range(labels: Tensor, num_classes: int, name: str = "labels") -> None:
    """Check that labels (N,) are classes.

    Raises:
        ValueError: A label is below 0 or above `num_classes` - 1.
    """
    wrong = ((labels < 0) | (labels >= num_classes)).nonzero()
    if len(wrong):
        position = int(wrong[0])
        raise ValueError(
            f"Label {labels[position]} at position {position} of the {name} is out of range: for "
            f"{num_classes} classes, labels range from 0 to {num_classes - 1}."
        )


def to_counts(values: object, num_classes: int | None = None) -> Tensor:
    """Convert confusion counts to int64 (C, C).

    Args:
        values: Whole numbers of any type.
        num_classes: C, if it is known.

    Raises:
        ValueError: The shape is wrong, or a value is negative or not a whole number.
    """
    counts = to_tensor(values, "counts", torch.float64).detach()
    size = num_classes or (len(counts) if counts.dim() else 0)
    if counts.shape == (size, size) and not counts.is_complex():
        whole = counts.long()
        if (whole >= 0).all() and (whole == counts).all():
            return whole
    wanted = "(C, C)" if num_classes is None else f"({size}, {size})"
    raise ValueError(
        f"counts must be a tensor of the shape {wanted}, a row and a column for each class, of "
        f"whole numbers that are not negative, not {counts.dtype} of the shape "
        f"{tuple(counts.shape)} with values such as {counts.flatten()[:3].tolist()}."
    )


def to_class_names(names: Iterable[object]) -> tuple[str, ...]:
    """Convert class names to strings, in the same order.

    Args:
        names: Strings, or objects that `str` converts: numbers, a range, an array.

    Raises:
        ValueError: The names cannot be iterated, have no order, or two are equal.
    """
    if isinstance(names, (Tensor, np.ndarray)):
        names = names.tolist()
    if not isinstance(names, Iterable) or isinstance(names, (set, frozenset, bytes)):
        raise ValueError(  # noqa: TRY004 - one type of error for all wrong names
            f"class_names must be a list of names in the order of the labels, not {names!r}."
        )
    found = tuple(map(str, names))
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise ValueError(f"class_names has {twice[0]!r} twice; each class needs its own name.")
    return found


def _hold(values: Sequence[object], kind: type | tuple[type, ...]) -> bool:
    """Return whether a list holds an object of a kind, or nested lists begin with one."""
    first = values[0] if values else None
    if isinstance(first, (list, tuple)):
        return _hold(first, kind)
    return any(isinstance(each, kind) for each in values)


def _describe(values: object) -> str:
    shape = getattr(values, "shape", None)
    if shape is not None:
        return f"{type(values).__name__} of {getattr(values, 'dtype', '?')} of shape {shape}"
    if isinstance(values, (list, tuple)):
        return f"a {type(values).__name__} of {len(values)} such as {values[:1]!r:.60}"
    return f"{type(values).__name__} {values!r:.60}"
