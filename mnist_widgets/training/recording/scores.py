"""What a recorded step's outputs are, as far as the record itself shows it.

A record does not hold the loss function. Its losses show whether it is one of those known here:
then the outputs are scores of classes, and the gradient at the scores is known, too.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mnist_widgets.training.recording.step_record import StepRecord


class Scores(NamedTuple):
    """The scores of a batch, with its labels. All numbers are float64 on the CPU.

    Attributes:
        values: (B, C).
        labels: int64 (B,).
        probabilities: the softmax of the scores (B, C).
        losses: of each image, computed from the scores (B,).
        loss_name: of the loss function.
        is_mean: whether the batch's loss is the mean of the images' losses, not their sum.
    """

    values: Tensor
    labels: Tensor
    probabilities: Tensor
    losses: Tensor
    loss_name: Literal["cross-entropy", "squared error"]
    is_mean: bool

    @property
    def differences(self) -> Tensor:
        """The probabilities minus the one-hot labels, p - y (B, C)."""
        return self.probabilities - functional.one_hot(self.labels, self.values.shape[1])

    @property
    def gradients(self) -> Tensor:
        """The gradient of each image's loss at its scores (B, C)."""
        if self.loss_name == "cross-entropy":
            return self.differences
        shares, differences = self.probabilities, self.differences
        mean = (shares * differences).sum(dim=1, keepdim=True)
        return 2 / shares.shape[1] * shares * (differences - mean)

    @property
    def even_loss(self) -> float:
        """The loss of the same probability for each class."""
        num_classes = torch.tensor(self.values.shape[1], dtype=torch.float64)
        if self.loss_name == "cross-entropy":
            return float(num_classes.log())
        return float((num_classes - 1) / num_classes**2)


def to_exact(values: Tensor) -> Tensor:
    """Return numbers as float64 on the CPU."""
    return values.detach().cpu().double()


def find_scores(record: StepRecord) -> Scores | None:
    """Return the scores of a step; None unless the loss shows that they are scores.

    This holds for cross-entropy, also in two parts as `LogSoftmax` and `NLLLoss`, and for the
    squared error of the probabilities.
    """
    outputs, labels = record.outputs, record.targets
    if outputs is None or labels is None or record.loss is None or not outputs.numel():
        return None
    is_table = outputs.dim() == 2 and outputs.shape[1] > 1 and outputs.is_floating_point()
    if not is_table or labels.is_floating_point() or labels.shape != outputs.shape[:1]:
        return None
    values, labels = to_exact(outputs), labels.cpu().long()
    if labels.min() < 0 or labels.max() >= values.shape[1] or not values.isfinite().all():
        return None
    shares = values.softmax(dim=1)
    targets = functional.one_hot(labels, values.shape[1]).double()
    candidates: dict[Literal["cross-entropy", "squared error"], Tensor] = {
        "cross-entropy": functional.cross_entropy(values, labels, reduction="none"),
        "squared error": (shares - targets).square().mean(dim=1),
    }
    for name, losses in candidates.items():
        is_mean = math.isclose(record.loss, float(losses.mean()), rel_tol=1e-4, abs_tol=1e-6)
        is_sum = math.isclose(record.loss, float(losses.sum()), rel_tol=1e-4, abs_tol=1e-6)
        recorded = losses if record.losses is None else to_exact(record.losses)
        if (is_mean or is_sum) and torch.allclose(losses, recorded, rtol=1e-4, atol=1e-6):
            return Scores(values, labels, shares, losses, name, is_mean)
    return None


def name_output(outputs: Tensor) -> str:
    """Return what outputs (B, C) are: a `score`, a `log-probability` or a `probability`."""
    values = to_exact(outputs)
    sums = values.sum(dim=1)
    if (values >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        return "probability"
    sums = values.logsumexp(dim=1)
    return "log-probability" if torch.allclose(sums, torch.zeros_like(sums), atol=1e-4) else "score"
