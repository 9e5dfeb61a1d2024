"""How well a network does: probabilities, confusion counts, accuracy.

All functions leave the model in the mode and on the device where they found it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.devices import device_of
from mnist_widgets.digit_set import to_inputs
from mnist_widgets.portions import ImageCuts, run_to_end
from mnist_widgets.training import LossFunction

_IMAGES_PER_FORWARD_PASS = 1024
_IMAGES_OF_EVALUATOR = 64  # always as many, so that equal weights give equal metrics, bit for bit


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within this context `model` is in evaluation mode and computes no gradients.

    Afterwards each of its modules is back in the mode it had.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training


@dataclass(frozen=True)
class Predictions:
    """What a network makes of each of N images of C classes.

    Attributes:
        probabilities: float32 (N, C); each row sums to 1.
        labels: int64 (N,), the true classes.
    """

    probabilities: Tensor
    labels: Tensor

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


class Evaluator:
    """Judges a model on the same batches each time: mean loss and share of right predictions.

    Args:
        batches: inputs and labels, such as `test_set.batches(512)` or a `DataLoader`.
        loss_fn: the mean loss of a batch from its outputs (B, C) and labels (B,); by default
            cross-entropy, which takes raw scores.

    Attributes:
        predictions: of the last evaluation, in the order of the batches; None before it.
    """

    def __init__(
        self,
        batches: Iterable[tuple[Tensor, Tensor]],
        loss_fn: LossFunction = functional.cross_entropy,
    ) -> None:
        self.batches = batches
        self.loss_fn = loss_fn
        self.predictions: Predictions | None = None

    @property
    def confusion(self) -> Tensor | None:
        """The counts[true, predicted] of the last evaluation, int64 (C, C); None before it."""
        return None if self.predictions is None else self.predictions.confusion

    def evaluate(self, model: nn.Module, device: torch.device | str) -> dict[str, float]:
        """Return `test_loss` (mean over the images) and `test_accuracy` (0 to 1).

        Raises:
            ValueError: if there is no batch to judge by.
        """
        return run_to_end(self.evaluate_in_portions(model, device))

    def evaluate_in_portions(
        self, model: nn.Module, device: torch.device | str
    ) -> Generator[None, None, dict[str, float]]:
        """Return what `evaluate` does, and yield between two portions of about 25 ms.

        Between two portions the model is in the mode it came in. One evaluation that is given up
        leaves `predictions` as they were.
        """
        loss_sum = 0.0
        probabilities, true_labels = [], []
        cuts = ImageCuts(_IMAGES_OF_EVALUATOR, adapts=False)

        def compute_outputs(inputs: Tensor) -> Tensor:
            with evaluating(model):
                outputs: Tensor = model(inputs)
            return outputs

        for inputs, labels in self.batches:
            outputs = yield from cuts.map(compute_outputs, inputs.to(device))
            with evaluating(model):
                loss_sum += self.loss_fn(outputs, labels.to(device)).item() * len(labels)
                probabilities.append(outputs.softmax(dim=1).float().cpu())
            true_labels.append(labels.cpu())
        if not true_labels:
            raise ValueError("The evaluator was given no batch, so there is nothing to judge by.")
        # joined outside of inference mode, so that no caller meets tensors of that kind
        self.predictions = Predictions(torch.cat(probabilities), torch.cat(true_labels))
        num_images = len(self.predictions.labels)
        return {
            "test_loss": loss_sum / num_images,
            "test_accuracy": int(self.predictions.are_right.sum()) / num_images,
        }


def predict_probabilities(model: nn.Module, images: Tensor) -> Tensor:
    """Return the network's probabilities for each class.

    Args:
        model: gives raw scores or log-probabilities (N, C).
        images: uint8 (N, 28, 28) or (28, 28) as a `DigitSet` stores them, or floats in [0, 1] of
            (N, 1, 28, 28) or (1, 28, 28) as its batches and items hold them. Floats of another
            shape reach the model as they are.

    Returns:
        float32 (N, C) on the CPU; each row sums to 1.

    Raises:
        ValueError: if the images are of another type, or uint8 and of another shape.
    """
    inputs = _as_inputs(images)
    device = device_of(model)
    with evaluating(model):
        probabilities = [
            model(chunk.to(device)).softmax(dim=1).float().cpu()
            for chunk in inputs.split(_IMAGES_PER_FORWARD_PASS)
        ]
    return torch.cat(probabilities)


def _as_inputs(images: Tensor) -> Tensor:
    if images.dtype == torch.uint8:
        return to_inputs(images)
    if not images.is_floating_point():
        raise ValueError(
            f"The images are {images.dtype}; they must be torch.uint8, as digit_set.images, or "
            "floats in [0, 1]."
        )
    is_of_images = images.shape[-2:] == (28, 28)
    return (images.reshape(-1, 1, 28, 28) if is_of_images else images).float()


def predict_in_portions(model: nn.Module, images: Tensor) -> Generator[None, None, Tensor]:
    """Return what `predict_probabilities` does for N images, and yield between two portions."""
    cuts = ImageCuts(num_images=16, adapts=True)
    return cuts.map(partial(predict_probabilities, model), images)


def confusion_matrix(
    true_labels: Tensor, predicted_labels: Tensor, num_classes: int = 10
) -> Tensor:
    """Count how often each true class was taken for each class.

    Args:
        true_labels: integers (N,) from 0 to `num_classes` - 1.
        predicted_labels: integers (N,) from 0 to `num_classes` - 1.
        num_classes: at least 1.

    Returns:
        int64 (num_classes, num_classes) on the CPU, `counts[true, predicted]`.

    Raises:
        ValueError: if the lengths differ or a label lies outside the classes.
    """
    if true_labels.shape != predicted_labels.shape or true_labels.dim() != 1:
        raise ValueError(
            "true and predicted labels must be two rows of equal length, not of shapes "
            f"{tuple(true_labels.shape)} and {tuple(predicted_labels.shape)}"
        )
    for role, labels in (("true", true_labels), ("predicted", predicted_labels)):
        outside = labels[(labels < 0) | (labels >= num_classes)]
        if len(outside):
            raise ValueError(
                f"a {role} label is {outside[0].item()}, but the classes run from 0 to "
                f"{num_classes - 1}"
            )
    pairs = true_labels.long().cpu() * num_classes + predicted_labels.long().cpu()
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def accuracy(counts: Tensor) -> float:
    """Return the share of right predictions, 0 to 1: the diagonal's sum over the sum of all.

    Args:
        counts: (C, C), `counts[true, predicted]`; either orientation gives the same.

    Raises:
        ValueError: if nothing was counted.
    """
    total = int(counts.sum())
    if total == 0:
        raise ValueError("the confusion counts are all 0: nothing was counted yet")
    return int(counts.trace()) / total


def recall(counts: Tensor) -> Tensor:
    """Return for each class the share of its images that were recognized: float64 (C,), 0 to 1.

    Args:
        counts: (C, C), `counts[true, predicted]`. A class without images has the recall NaN.
    """
    return counts.diagonal().double() / counts.sum(dim=1)


def precision(counts: Tensor) -> Tensor:
    """Return for each class the share of right ones among its predictions: float64 (C,), 0 to 1.

    Args:
        counts: (C, C), `counts[true, predicted]`. A class never predicted has the precision NaN.
    """
    return counts.diagonal().double() / counts.sum(dim=0)


def normalize_confusion(counts: Tensor, by: Literal["true", "predicted"]) -> Tensor:
    """Return confusion counts as shares of their true or of their predicted class.

    The diagonal then holds the `recall` or the `precision` of each class.

    Args:
        counts: (C, C), `counts[true, predicted]`.
        by: which class's images are the whole.

    Returns:
        float64 (C, C) in the order of `counts`, 0 to 1; NaN where the class has no image, or was
        never predicted.
    """
    totals = counts.sum(dim=1 if by == "true" else 0, keepdim=True)
    return counts.double() / totals
