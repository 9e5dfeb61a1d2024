"""Select and order the images of a set by their labels and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mnist_widgets.training.evaluation.predictions import Predictions

Order = Literal["as stored", "highest loss", "least confident", "most confident"]
"""The images to show first; equal ones stay in the order of the set."""


@dataclass(frozen=True)
class ImageFilter:
    """The images to show, by these criteria; None means any.

    Attributes:
        label: The true class.
        predicted: The predicted class.
        is_right: Whether the prediction equals the label.
    """

    label: int | None = None
    predicted: int | None = None
    is_right: bool | None = None

    @property
    def needs_predictions(self) -> bool:
        """Whether the filter depends on predictions."""
        return self.predicted is not None or self.is_right is not None

    @property
    def pair(self) -> tuple[int, int] | None:
        """The (true, predicted) classes if the filter has both, else None."""
        if self.label is None or self.predicted is None:
            return None
        return self.label, self.predicted


ALL_IMAGES = ImageFilter()
"""The filter that selects every image."""


def select_images(
    labels: Tensor,
    predictions: Predictions | None,
    wanted: ImageFilter = ALL_IMAGES,
    order: Order = "as stored",
) -> Tensor:
    """Return the positions of the images to show, int64 (M,), in the order to show them.

    Args:
        labels: int64 (N,), the true classes of the set.
        predictions: For the same N images; may be None if the labels are enough.
        wanted: The images to show.
        order: Their order.

    Raises:
        ValueError: There are no predictions, but the filter or the order needs them.
    """
    is_wanted = torch.ones_like(labels, dtype=torch.bool)
    if wanted.label is not None:
        is_wanted &= labels == wanted.label
    if predictions is None:
        if wanted.needs_predictions or order != "as stored":
            raise ValueError(f"{wanted} in the order {order!r} needs predictions; there are none.")
        return is_wanted.nonzero().flatten()
    if wanted.predicted is not None:
        is_wanted &= predictions.predicted_labels == wanted.predicted
    if wanted.is_right is not None:
        is_wanted &= predictions.are_right == wanted.is_right
    positions = is_wanted.nonzero().flatten()
    if order == "as stored":
        return positions
    values = predictions.losses if order == "highest loss" else predictions.confidences
    return positions[values[positions].argsort(descending=order != "least confident", stable=True)]
