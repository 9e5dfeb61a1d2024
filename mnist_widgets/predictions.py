"""What a network predicts for labelled images, and what follows from it: losses, confusion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mnist_widgets.measures import check_label_range, confusion_matrix
from mnist_widgets.tensors import to_class_labels, to_tensor


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network makes of each of N images of C classes.

    Arrays and lists become tensors.

    Attributes:
        probabilities: float32 (N, C); each row sums to 1.
        labels: int64 (N,), the true classes.

    Raises:
        ValueError: if the shapes do not fit, or a label lies outside the classes.
    """

    probabilities: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        probabilities = to_tensor(self.probabilities, "probabilities").float()
        labels = to_class_labels(self.labels)
        if probabilities.dim() != 2 or labels.shape != probabilities.shape[:1]:
            raise ValueError(
                "The probabilities must be a tensor of the shape (N, C) and the labels one of the "
                f"shape (N,), not {tuple(probabilities.shape)} and {tuple(labels.shape)}."
            )
        check_label_range("true", labels, probabilities.shape[1])
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "labels", labels)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Predictions)
            and self.probabilities.equal(other.probabilities)
            and self.labels.equal(other.labels)
        )

    __hash__ = None  # type: ignore[assignment] # equal by their values, which may change

    @cached_property
    def predicted_labels(self) -> Tensor:
        """The likeliest class of each image, int64 (N,)."""
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
        """Whether each image's prediction is its label, bool (N,); what is NaN is not right."""
        return (self.predicted_labels == self.labels) & ~self.confidences.isnan()

    @cached_property
    def confusion(self) -> Tensor:
        """The counts[true, predicted], int64 (C, C), of all images that were given numbers."""
        num_classes, answered = self.probabilities.shape[1], ~self.confidences.isnan()
        return confusion_matrix(self.labels[answered], self.predicted_labels[answered], num_classes)
