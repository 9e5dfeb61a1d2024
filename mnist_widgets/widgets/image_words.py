"""Images and filters in words: what the gallery's frames, tooltips and sentences say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_widgets.digit_set import DigitSet
from mnist_widgets.evaluation import Predictions
from mnist_widgets.messages import format_share
from mnist_widgets.selection import ImageFilter

_UNKNOWN = -1


class Answers(NamedTuple):
    """The network's newest answer to each of N images.

    Attributes:
        labels: int64 (N,), the predicted classes; -1 where there is no answer yet, or none that is
            a number, as from a network that has diverged.
        shares: float32 (N,), the probabilities of these classes.
    """

    labels: Tensor
    shares: Tensor

    @classmethod
    def to_come(cls, num_images: int) -> Answers:
        """Return what is known before the network has been asked: nothing."""
        return cls(torch.full((num_images,), _UNKNOWN), torch.zeros(num_images))

    @classmethod
    def of(cls, predictions: Predictions) -> Answers:
        """Return the answers that these predictions hold."""
        shares = predictions.confidences
        return cls(predictions.predicted_labels.masked_fill(shares.isnan(), _UNKNOWN), shares)

    def updated(self, indices: Tensor, probabilities: Tensor) -> Answers:
        """Return these answers, but for the images at `indices` those of `probabilities` (M, C)."""
        labels, shares = self.labels.clone(), self.shares.clone()
        shares[indices], predicted = probabilities.max(dim=1)
        labels[indices] = predicted.masked_fill(shares[indices].isnan(), _UNKNOWN)
        return Answers(labels, shares)


def name_images(digit_set: DigitSet, answers: Answers, indices: Tensor) -> list[str]:
    """Return for each image a name such as `Image 1,234: true 4, predicted 9 with 61 %`."""
    class_names = digit_set.class_names
    rows = zip(
        indices.tolist(),
        digit_set.labels[indices].tolist(),
        answers.labels[indices].tolist(),
        answers.shares[indices].tolist(),
        strict=True,
    )
    names = []
    for index, label, predicted, share in rows:
        name = f"Image {index:,}: true {class_names[label]}"
        if predicted != _UNKNOWN:
            name += f", predicted {class_names[predicted]} with {format_share(share)}"
        elif math.isnan(share):
            name += ", the network's outputs are no numbers (nan)"
        names.append(name)
    return names


def judge_images(digit_set: DigitSet, answers: Answers, indices: Tensor) -> list[str]:
    """Return for each image `"right"`, `"wrong"`, or `""` while there is no answer."""
    labels, predicted = digit_set.labels[indices].tolist(), answers.labels[indices].tolist()
    return [
        "" if answer == _UNKNOWN else "right" if answer == label else "wrong"
        for label, answer in zip(labels, predicted, strict=True)
    ]


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
    """Return in a sentence that no image passes a filter."""
    if wanted.is_right is not None:
        return "No prediction is right yet." if wanted.is_right else "Not a single mistake."
    if wanted.pair is not None:
        label, predicted = wanted.pair
        return f"No {class_names[label]} is taken for {class_names[predicted]} at present."
    if wanted.label is not None:
        return f"No image shows a true {class_names[wanted.label]}."
    return f"No image is taken for {class_names[wanted.predicted or 0]} at present."
