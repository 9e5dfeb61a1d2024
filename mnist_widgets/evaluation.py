"""How well a network does: probabilities, loss, accuracy.

Evaluating changes nothing: the model, its device and torch's random numbers stay as they were.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.random import fork_rng

from mnist_widgets.devices import device_of
from mnist_widgets.digit_set import to_inputs
from mnist_widgets.loss_checks import check_loss_inputs
from mnist_widgets.measures import check_label_range, confusion_matrix
from mnist_widgets.module_state import ModuleState
from mnist_widgets.outputs import (
    check_outputs,
    find_reduction,
    to_labels,
    to_probabilities,
)
from mnist_widgets.portions import ImageCuts, run_to_end
from mnist_widgets.tensors import ArrayLike, to_class_labels, to_images, to_tensor
from mnist_widgets.training import LossFunction

_IMAGES_PER_FORWARD_PASS = 1024
_IMAGES_OF_EVALUATOR = 64  # always as many, so that equal weights give equal metrics, bit for bit


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within this context `model` is in evaluation mode and computes no gradients.

    Afterwards each module has the mode, buffers, kept tensors and lazy parameters that it had, and
    torch's random numbers go on as if nothing had been drawn.
    """
    device = device_of(model)
    state = ModuleState(model.modules())
    try:
        # no inference_mode: a tensor that a model keeps from it could never be trained with
        with torch.no_grad(), fork_rng([device] if device.type == "cuda" else []):
            model.eval()
            yield
    finally:
        state.restore()


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


class Evaluator:
    """Judges a model on the same batches each time: mean loss and share of right predictions.

    Args:
        batches: inputs (B, ...) and labels (B,), such as `test_set.batches(512)` or a `DataLoader`;
            labels (B, 1) and one-hot targets (B, C) count as the classes that they name.
        loss_fn: the loss of outputs and labels; by default cross-entropy, which takes raw scores.
            It gets the outputs and labels of all batches at once, the labels as they were loaded,
            so that the loss does not depend on how the batches are cut.

    Attributes:
        predictions: of the last evaluation, in the order of the batches and without images whose
            label is the loss function's `ignore_index`; None before it.
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
        """Return `test_loss` and `test_accuracy` (0 to 1).

        The loss is what `loss_fn` gives for all images together, divided by their number if its
        `reduction` is `"sum"`. Images whose label is its `ignore_index` are not counted.

        Raises:
            ValueError: if there is no batch, no label counts, or outputs, labels and loss function
                do not fit together; the message names the shapes.
        """
        return run_to_end(self.evaluate_in_portions(model, device))

    def evaluate_in_portions(
        self, model: nn.Module, device: torch.device | str
    ) -> Generator[None, None, dict[str, float]]:
        """Return what `evaluate` does, and yield between two portions of about 25 ms.

        Between two portions the model is as it was before. An evaluation that is given up leaves
        `predictions` as they were.
        """
        all_outputs, all_targets = [], []
        cuts = ImageCuts(_IMAGES_OF_EVALUATOR, adapts=False)
        for inputs, targets in _draw_apart(self.batches):
            images = to_tensor(inputs, "inputs").to(device)
            all_outputs.append((yield from _compute_outputs(model, images, cuts)))
            all_targets.append(to_tensor(targets, "labels").to(device))
        with evaluating(model):
            return self._judge(model, all_outputs, all_targets)

    def _judge(
        self, model: nn.Module, all_outputs: list[Tensor], all_targets: list[Tensor]
    ) -> dict[str, float]:
        """Return the metrics of all batches together, and keep their predictions."""
        if not all_outputs:
            raise ValueError(
                "The evaluator has no batches. Pass at least one, for example "
                "test_set.batches(512)."
            )
        outputs, targets = torch.cat(all_outputs), torch.cat(all_targets)
        if len(outputs) != len(targets):
            raise ValueError(
                f"The evaluator's batches hold {len(outputs)} images, but labels of the shape "
                f"{tuple(targets.shape)}."
            )
        check_loss_inputs(self.loss_fn, outputs, targets)
        probabilities = to_probabilities(outputs, self.loss_fn, model)
        labels, counted = to_labels(targets, probabilities.shape[1], self.loss_fn)
        num_images = int(counted.sum())
        if num_images == 0:
            raise ValueError("The evaluator has no label that counts; all are ignored.")
        loss = _to_number(self.loss_fn(outputs, targets))
        if find_reduction(self.loss_fn) == "sum":
            loss /= num_images
        self.predictions = Predictions(probabilities[counted].cpu(), labels[counted].cpu())
        num_right = int(self.predictions.are_right.sum())
        return {"test_loss": loss, "test_accuracy": num_right / num_images}


def _draw_apart(batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches; torch's random numbers go on as if a shuffling loader drew none."""
    state, iterator = torch.get_rng_state(), None
    while True:
        with fork_rng([]):
            torch.set_rng_state(state)
            iterator = iter(batches) if iterator is None else iterator
            batch = next(iterator, None)
            state = torch.get_rng_state()
        if batch is None:
            return
        yield batch


def _to_number(loss: Tensor | float) -> float:
    if isinstance(loss, Tensor) and loss.numel() != 1:
        raise ValueError(
            f"The loss function gives a tensor of the shape {tuple(loss.shape)}; it must give a "
            'single number, as with reduction="mean".'
        )
    return float(loss)


def predict_probabilities(
    model: nn.Module, images: ArrayLike, loss_fn: LossFunction | None = None
) -> Tensor:
    """Return the network's probabilities for each class.

    Args:
        model: gives raw scores, log-probabilities or probabilities (N, C); or a single number for
            each image, (N, 1) or (N,), of which two probabilities are made.
        images: uint8 (N, 28, 28) or (28, 28) as a `DigitSet` stores them, or floats in [0, 1] of
            (N, 1, 28, 28) or (1, 28, 28) as its batches and items hold them; a tensor, an array or
            a list. Floats of another shape reach the model as they are.
        loss_fn: what the model is trained with. It tells whether single numbers are scores or, with
            `nn.BCELoss`, probabilities; without it the end of the model tells.

    Returns:
        float32 (N, C) on the CPU; each row sums to 1.

    Raises:
        ValueError: if the images are of another type, or uint8 and of another shape, or if the
            model's outputs are of another shape.
    """
    inputs = _as_inputs(images)
    device = device_of(model)
    with evaluating(model):
        outputs = [
            check_outputs(model(chunk.to(device)), len(chunk)).clone()
            for chunk in inputs.split(_IMAGES_PER_FORWARD_PASS)
        ]
        return to_probabilities(torch.cat(outputs), loss_fn, model).cpu()


def _as_inputs(images: ArrayLike) -> Tensor:
    pixels = to_images(images)
    if pixels.dtype == torch.uint8:
        return to_inputs(pixels)
    if not pixels.is_floating_point():
        raise ValueError(
            f"The images are {pixels.dtype} of the shape {tuple(pixels.shape)}; they must be a "
            "tensor of torch.uint8, as digit_set.images, or of floats in [0, 1]."
        )
    is_of_images = pixels.shape[-2:] == (28, 28)
    return (pixels.reshape(-1, 1, 28, 28) if is_of_images else pixels).float()


def predict_in_portions(
    model: nn.Module, images: Tensor, loss_fn: LossFunction | None = None
) -> Generator[None, None, Tensor]:
    """Return what `predict_probabilities` does for N images, and yield between two portions."""
    outputs = yield from _compute_outputs(model, images, ImageCuts(num_images=16, adapts=True))
    with evaluating(model):
        return to_probabilities(outputs, loss_fn, model).cpu()


def _compute_outputs(
    model: nn.Module, images: Tensor, cuts: ImageCuts
) -> Generator[None, None, Tensor]:
    device = device_of(model)

    def compute(images: Tensor) -> Tensor:
        inputs = to_inputs(images) if images.dtype == torch.uint8 else images
        # a compiled model may reuse its memory
        return check_outputs(model(inputs.to(device)), len(inputs)).clone()

    return cuts.map(compute, images, within=partial(evaluating, model))
