"""Select and order images by their labels and predictions; what a network says of wrong labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mnist_widgets.training.evaluation.predictions import Predictions

Reaction = Literal["memorized", "resisted", "neither"]
"""The network repeats a wrong label, gives the original one, or says something else."""

Order = Literal["as stored", "highest loss", "least confident", "most confident"]
"""The images to show first; equal ones stay in the order of the set."""


@dataclass(frozen=True)
class ImageFilter:
    """The images to show, by these criteria; None means any.

    Attributes:
        label: The true class.
        predicted: The predicted class.
        is_right: Whether the prediction is the true class.
        has_wrong_label: True for the images whose label in the training is wrong.
        reaction: The network's reaction to a wrong label.
    """

    label: int | None = None
    predicted: int | None = None
    is_right: bool | None = None
    has_wrong_label: bool | None = None
    reaction: Reaction | None = None

    @property
    def needs_predictions(self) -> bool:
        """Whether the filter depends on predictions."""
        criteria = (self.predicted, self.is_right, self.reaction)
        return any(criterion is not None for criterion in criteria)

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
    true_labels: Tensor | None = None,
) -> Tensor:
    """Return the positions of the images to show, int64 (M,), in the order to show them.

    Args:
        labels: int64 (N,), those of the set, to which the losses refer.
        predictions: For the same N images; may be None if the labels are enough.
        wanted: The images to show.
        order: Their order.
        true_labels: int64 (N,), where some of `labels` are wrong; by default `labels`.

    Raises:
        ValueError: There are no predictions, but the filter or the order needs them.
    """
    true_labels = labels if true_labels is None else true_labels
    is_wanted = torch.ones_like(labels, dtype=torch.bool)
    if wanted.label is not None:
        is_wanted &= true_labels == wanted.label
    if wanted.has_wrong_label is not None:
        is_wanted &= (labels != true_labels) == wanted.has_wrong_label
    if predictions is None:
        if wanted.needs_predictions or order != "as stored":
            raise ValueError(f"{wanted} in the order {order!r} needs predictions; there are none.")
        return is_wanted.nonzero().flatten()
    if wanted.predicted is not None:
        is_wanted &= predictions.predicted_labels == wanted.predicted
    if wanted.is_right is not None:
        are_right = (predictions.predicted_labels == true_labels) & ~predictions.confidences.isnan()
        is_wanted &= are_right == wanted.is_right
    if wanted.reaction is not None:
        reactions = find_wrong_labels(labels, true_labels, predictions).reactions
        is_wanted &= reactions[wanted.reaction]
    positions = is_wanted.nonzero().flatten()
    if order == "as stored":
        return positions
    values = predictions.losses if order == "highest loss" else predictions.confidences
    return positions[values[positions].argsort(descending=order != "least confident", stable=True)]


@dataclass(frozen=True, eq=False)
class WrongLabels:
    """The images of a set whose labels are wrong, by the network's reaction.

    Attributes:
        are_wrong: whether the label is wrong, bool (N,).
        reactions: by its name, whether the network shows it, bool (N,); empty before a prediction.
            An image without a number for an answer (NaN) has none.
    """

    are_wrong: Tensor
    reactions: dict[Reaction, Tensor]

    @property
    def num_wrong(self) -> int:
        """The number of wrong labels."""
        return int(self.are_wrong.sum())

    def count(self, reaction: Reaction) -> int:
        """Return the number of wrong labels that show this reaction of the network."""
        return int(self.reactions[reaction].sum())


def find_wrong_labels(
    labels: Tensor, original_labels: Tensor, predictions: Predictions | None
) -> WrongLabels:
    """Compare labels with the original ones and with the network's answers.

    Args:
        labels: int64 (N,), those of the training.
        original_labels: int64 (N,).
        predictions: for the same N images, or None.
    """
    are_wrong = labels != original_labels
    if predictions is None:
        return WrongLabels(are_wrong, {})
    answers, are_numbers = predictions.predicted_labels, ~predictions.confidences.isnan()
    memorized = are_wrong & are_numbers & (answers == labels)
    resisted = are_wrong & are_numbers & (answers == original_labels)
    neither = are_wrong & are_numbers & ~memorized & ~resisted
    return WrongLabels(
        are_wrong, {"memorized": memorized, "resisted": resisted, "neither": neither}
    )
