"""Images and filters in words, for the gallery's frames, tooltips and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from mnist_widgets.digit_set import DigitSet
from mnist_widgets.messages import format_share
from mnist_widgets.selection import ImageFilter


class _Image(NamedTuple):
    """An image's position and label, its predicted class, and the probability of that class."""

    position: int
    label: int
    predicted: int
    share: float


def name_images(digit_set: DigitSet, probabilities: Tensor, indices: Tensor) -> list[str]:
    """Return for each image a name such as `Image 1,234: true 4, predicted 9 with 61 %`.

    Args:
        digit_set: the images and their labels.
        probabilities: float32 (N, C), for all images of the set; zeros before a prediction, and NaN
            from a network that has diverged.
        indices: int64 (M,), the positions of the images.
    """
    class_names = digit_set.class_names
    names = []
    for image in _look_up(digit_set, probabilities, indices):
        name = f"Image {image.position:,}: true {class_names[image.label]}"
        if image.share > 0:
            name += f", predicted {class_names[image.predicted]} with {format_share(image.share)}"
        elif math.isnan(image.share):
            name += ", the network's outputs are no numbers (nan)"
        names.append(name)
    return names


def judge_images(digit_set: DigitSet, probabilities: Tensor, indices: Tensor) -> list[str]:
    """Return for each image `"right"`, `"wrong"`, or `""` before a prediction.

    Args:
        digit_set: the images and their labels.
        probabilities: float32 (N, C), as for `name_images`.
        indices: int64 (M,), the positions of the images.
    """
    return [
        ("right" if image.predicted == image.label else "wrong") if image.share > 0 else ""
        for image in _look_up(digit_set, probabilities, indices)
    ]


def _look_up(digit_set: DigitSet, probabilities: Tensor, indices: Tensor) -> Iterator[_Image]:
    shares, predicted = probabilities[indices].max(dim=1)
    columns = (indices, digit_set.labels[indices], predicted, shares)
    return map(_Image, *(column.tolist() for column in columns))


def name_filter(wanted: ImageFilter, class_names: Sequence[str]) -> str:
    """Return a filter's name, such as `Mistakes`, `True 4` or `True 4, predicted 9`."""
    if wanted.is_right is not None:
        return "Right" if wanted.is_right else "Mistakes"
    if wanted.pair is not None:
        label, predicted = wanted.pair
        return f"True {class_names[label]}, predicted {class_names[predicted]}"
    if wanted.label is not None:
        return f"True {class_names[wanted.label]}"
    if wanted.predicted is not None:
        return f"Predicted {class_names[wanted.predicted]}"
    return "All"


def explain_absence(wanted: ImageFilter, class_names: Sequence[str]) -> str:
    """Return a sentence for a filter that no image passes."""
    if wanted.is_right is not None:
        return "No prediction is right yet." if wanted.is_right else "Not a single mistake."
    if wanted.pair is not None:
        label, predicted = wanted.pair
        return f"No {class_names[label]} is taken for {class_names[predicted]} at present."
    if wanted.label is not None:
        return f"No image shows a true {class_names[wanted.label]}."
    return f"No image is taken for {class_names[wanted.predicted or 0]} at present."
