"""What a network says of training images whose labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from mnist_widgets.training.evaluation.predictions import Predictions

Reaction = Literal["memorized", "resisted", "neither"]
"""The network repeats a wrong label, gives the original one, or says something else."""


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
