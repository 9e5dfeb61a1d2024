"""Checks of the images and labels of a `DigitSet`."""

from __future__ import annotations

import torch
from torch import Tensor

from mnist_widgets.data.tensors import check_label_range


def check_images(images: Tensor) -> None:
    """Raise a `ValueError` unless the images are uint8 (N, 28, 28)."""
    if images.dtype == torch.uint8 and images.shape[1:] == (28, 28):
        return
    raise ValueError(
        f"The images are {images.dtype} of shape {tuple(images.shape)}; they must be a tensor, an "
        f"array or a list of torch.uint8 of shape (N, 28, 28).{_suggest_conversion(images)}"
    )


def _suggest_conversion(images: Tensor) -> str:
    """Return a sentence with the code that makes these images uint8 (N, 28, 28), if it is known."""
    code = "torch.as_tensor(images)"
    if images.shape[1:] == (1, 28, 28):
        code += ".squeeze(1)"
    elif images.shape[1:] != (28, 28):
        return ""
    if images.dtype != torch.uint8:
        if images.is_complex() or images.numel() == 0 or images.min() < 0 or images.max() > 255:
            return " Scale their values to 0 to 255."
        if images.is_floating_point():
            code = f"({code} * 255).round()" if images.max() <= 1 else f"{code}.round()"
        code += ".to(torch.uint8)"
    return f" Convert them with {code}."


def check_labels(labels: Tensor, num_images: int, num_classes: int) -> None:
    """Raise a `ValueError` unless there are images, and a label of a class for each."""
    if labels.ndim != 1:
        raise ValueError(
            f"The labels are {labels.dtype} of shape {tuple(labels.shape)}; they must be a tensor, "
            "an array or a list of shape (N,)."
        )
    if num_images == 0:
        raise ValueError("There are no images; a DigitSet needs at least one.")
    if len(labels) != num_images:
        raise ValueError(f"There are {num_images:,} images but {len(labels):,} labels.")
    check_label_range(labels, num_classes)
