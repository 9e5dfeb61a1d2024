"""A network's predictions for labeled images: classes, confidences, losses, confusion counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mnist_widgets.data.tensors import check_label_range, to_class_labels, to_tensor
from mnist_widgets.training.evaluation.measures import confusion_matrix

_SUM_TOLERANCE = 0.05
"""How far a sum of probabilities may lie from 1: in bfloat16 it may be 0.03 away."""
_RANGE_TOLERANCE = 1e-3
"""How far a probability may lie below 0, by rounding."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """A network's probabilities for N labeled images of C classes.

    Arrays and lists are converted to tensors.

    Attributes:
        probabilities: float32 (N, C); each row sums to 1.
        labels: int64 (N,), the true classes.

    Raises:
        ValueError: The shapes do not fit, a label is none of the classes, or a row holds no
            probabilities, such as raw scores. Rows with NaN, of a diverged network, are accepted.
    """

    probabilities: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        probabilities = to_tensor(self.probabilities, "probabilities").float()
        labels = to_class_labels(self.labels)
        if probabilities.dim() != 2 or labels.shape != probabilities.shape[:1]:
            raise ValueError(
                "The probabilities must be a tensor of shape (N, C) and the labels one of shape "
                f"(N,), not {tuple(probabilities.shape)} and {tuple(labels.shape)}."
            )
        check_label_range(labels, probabilities.shape[1])
        check_probabilities(probabilities)
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "labels", labels)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Predictions)
            and self.probabilities.equal(other.probabilities)
            and self.labels.equal(other.labels)
        )

    __hash__ = None  # type: ignore[assignment] # compared by values, which may change

    @cached_property
    def predicted_labels(self) -> Tensor:
        """The most probable class of each image, int64 (N,)."""
        return self.probabilities.argmax(dim=1)

    @cached_property
    def confidences(self) -> Tensor:
        """The probability of the predicted class, float32 (N,)."""
        return self.probabilities.amax(dim=1)

    @cached_property
    def losses(self) -> Tensor:
        """The cross-entropy of each image, -ln of its true class's probability, float32 (N,)."""
        of_true_class = self.probabilities.gather(1, self.labels.unsqueeze(1)).squeeze(1)
        return -of_true_class.clamp(min=torch.finfo(torch.float32).tiny).log()

    @cached_property
    def are_right(self) -> Tensor:
        """Whether each prediction equals the label, bool (N,); False for NaN probabilities."""
        return (self.predicted_labels == self.labels) & ~self.confidences.isnan()

    @cached_property
    def confusion(self) -> Tensor:
        """The counts[true, predicted], int64 (C, C), without images whose probabilities are NaN."""
        num_classes, answered = self.probabilities.shape[1], ~self.confidences.isnan()
        return confusion_matrix(self.labels[answered], self.predicted_labels[answered], num_classes)


def check_probabilities(rows: Tensor) -> None:
    """Check that each row (..., C) without NaN lies in [0, 1] and has the sum 1.

    Raises:
        ValueError: A row does not.
    """
    sums, lowest = rows.float().sum(dim=-1), rows.float().amin(dim=-1)
    are_wrong = ((sums - 1).abs() > _SUM_TOLERANCE) | (lowest < -_RANGE_TOLERANCE)
    if are_wrong.any():
        numbers = ", ".join(f"{value:.3g}" for value in rows[are_wrong][0][:4].tolist())
        raise ValueError(
            "Probabilities must lie in [0, 1], and those of an image must sum to 1, but those of "
            f"an image begin with {numbers} and sum to {float(sums[are_wrong][0]):.3g}. Use "
            "predict_probabilities(model, images), or softmax(dim=-1) of raw scores."
        )
