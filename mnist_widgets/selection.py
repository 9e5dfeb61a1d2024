"""Which images of a set are looked at, and in which order.

Pure functions of labels and predictions; showing the images is left to the widgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mnist_widgets.predictions import Predictions

Order = Literal["as stored", "highest loss", "least sure", "surest"]
"""What comes first; images that are equal in this stay in the order of the set."""


@dataclass(frozen=True)
class ImageFilter:
    """What images must have in common to be shown; None stands for any.

    Attributes:
        label: the true class.
        predicted: the predicted class.
        is_right: whether the prediction is the label.
    """

    label: int | None = None
    predicted: int | None = None
    is_right: bool | None = None

    @property
    def needs_predictions(self) -> bool:
        """Whether the labels alone do not tell which images fit."""
        return self.predicted is not None or self.is_right is not None

    @property
    def pair(self) -> tuple[int, int] | None:
        """The (true, predicted) classes, if the filter asks for both, else None."""
        return (
            None if self.label is None or self.predicted is None else (self.label, self.predicted)
        )


ALL_IMAGES = ImageFilter()
"""The filter that every image passes."""


def select_images(
    labels: Tensor,
    predictions: Predictions | None,
    wanted: ImageFilter = ALL_IMAGES,
    order: Order = "as stored",
) -> Tensor:
    """Return the positions of the images to show, int64 (M,), the first to show first.

    Args:
        labels: int64 (N,), the true classes of the set.
        predictions: for the same N images; may be None where the labels alone are enough.
        wanted: which images to show.
        order: in which order.

    Raises:
        ValueError: if there are no predictions, but the filter or the order needs them.
    """
    if predictions is None and (wanted.needs_predictions or order != "as stored"):
        raise ValueError(f"{wanted} in the order {order!r} needs predictions; there are none yet.")
    positions = torch.arange(len(labels))
    if wanted.label is not None:
        positions = positions[labels == wanted.label]
    if predictions is None:
        return positions
    if wanted.predicted is not None:
        positions = positions[predictions.predicted_labels[positions] == wanted.predicted]
    if wanted.is_right is not None:
        positions = positions[predictions.are_right[positions] == wanted.is_right]
    if order == "as stored":
        return positions
    of_all = predictions.losses if order == "highest loss" else predictions.confidences
    return positions[of_all[positions].argsort(descending=order != "least sure", stable=True)]
