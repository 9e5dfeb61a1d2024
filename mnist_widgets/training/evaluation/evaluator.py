"""Compute probabilities, loss and accuracy of a network.

An evaluation leaves the model, its device and torch's random generators unchanged, unless the model
itself draws random numbers in evaluation mode.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.data.digit_set import to_inputs
from mnist_widgets.data.tensors import ArrayLike, to_images, to_tensor
from mnist_widgets.data.unseen_batches import iterate_unseen
from mnist_widgets.training.devices import device_of
from mnist_widgets.training.epoch_batches import unpack_pair
from mnist_widgets.training.evaluation.classification import check_num_classes, count_classes
from mnist_widgets.training.evaluation.explanations import explaining
from mnist_widgets.training.evaluation.loss_checks import check_loss_inputs
from mnist_widgets.training.evaluation.loss_kinds import find_loss_kind, find_reduction
from mnist_widgets.training.evaluation.module_state import evaluating
from mnist_widgets.training.evaluation.outputs import (
    check_outputs,
    check_single_outputs,
    to_labels,
    to_loss_targets,
    to_number,
    to_probabilities,
)
from mnist_widgets.training.evaluation.portions import ImageCuts, run_to_end
from mnist_widgets.training.evaluation.predictions import Predictions
from mnist_widgets.training.training_step import LossFunction

_MOST_AS_FLOAT = 16
"""Whole numbers up to this one may be inputs, such as the pixels of scikit-learn's digits; greater
ones are stored pixels from 0 to 255."""


class Evaluator:
    """Computes the mean loss and the accuracy of a classifier on fixed batches.

    For another task, such as a regression, override `evaluate`, or write an object of your own.

    Args:
        batches: Inputs (B, ...) and labels (B,), such as `test_set.batches(512)` or a `DataLoader`.
            The model gets the inputs unchanged, as in the training.
            Labels (B, 1), one-hot targets (B, C) and shares of the classes (B, C) are converted to
            labels (B,).
        loss_fn: The loss of outputs and labels; by default cross-entropy, which takes raw scores.
            It gets the outputs and labels of all batches at once, so the loss does not depend on
            the batch size. Losses of `torch.nn` that compare each output with a target, such as
            `nn.BCELoss` and `nn.MSELoss`, get the labels in the outputs' shape and type, one-hot
            if there is an output for each class. Other losses get the labels unchanged.
        train_batches: Some of the images trained with, in batches; they give `train_accuracy`.

    Attributes:
        predictions: Those of the last evaluation, in the order of the batches, without images whose
            label is the loss function's `ignore_index`. None before the first evaluation.
        train_predictions: The same for `train_batches`.
    """

    def __init__(
        self,
        batches: Iterable[tuple[Tensor, Tensor]],
        loss_fn: LossFunction = functional.cross_entropy,
        train_batches: Iterable[tuple[Tensor, Tensor]] | None = None,
    ) -> None:
        self.batches = batches
        self.loss_fn = loss_fn
        self.train_batches = train_batches
        self.predictions: Predictions | None = None
        self.train_predictions: Predictions | None = None

    @property
    def confusion(self) -> Tensor | None:
        """The counts[true, predicted] of the last evaluation, int64 (C, C), or None."""
        return None if self.predictions is None else self.predictions.confusion

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of the metrics that `evaluate` returns."""
        names = ("test_loss", "test_accuracy")
        return names if self.train_batches is None else (*names, "train_accuracy")

    def evaluate(self, model: nn.Module, device: torch.device | str) -> dict[str, float]:
        """Return `test_loss` and `test_accuracy`, and with `train_batches` also `train_accuracy`.

        Accuracies are from 0 to 1; that of the training counts agreement with the given labels.

        The loss is `loss_fn` of all images together, divided by their number if its `reduction` is
        `"sum"`. Images whose label is its `ignore_index` do not count.

        The same weights give the same metrics. If a forward pass takes longer than about 10 ms, the
        number of images in a pass depends on the time and the last digits of the loss may differ.

        Raises:
            TypeError: A batch is not a pair.
            ValueError: There is no batch, no label counts, or outputs, labels and loss function do
                not fit together; the message names the shapes.
        """
        return run_to_end(self.evaluate_in_portions(model, device), model)

    def evaluate_in_portions(
        self, model: nn.Module, device: torch.device | str
    ) -> Generator[None, None, dict[str, float]]:
        """Return the same as `evaluate`, and yield between two portions of about 25 ms.

        Between two portions the model is unchanged. A cancelled evaluation changes no predictions.
        """
        cuts = ImageCuts()
        seen: Predictions | None = None
        if self.train_batches is not None:
            outputs, targets = yield from self._collect(model, device, self.train_batches, cuts)
            with evaluating(model):
                seen, _ = self._predict(model, outputs, targets)
        outputs, targets = yield from self._collect(model, device, self.batches, cuts)
        with evaluating(model):
            metrics = self._compute_metrics(model, outputs, targets)
        self.train_predictions = seen
        return metrics if seen is None else {**metrics, "train_accuracy": _share_right(seen)}

    def _collect(
        self,
        model: nn.Module,
        device: torch.device | str,
        batches: Iterable[tuple[Tensor, Tensor]],
        cuts: ImageCuts,
    ) -> Generator[None, None, tuple[Tensor, Tensor]]:
        """Return the outputs and the targets of all batches, in portions."""
        all_outputs, all_targets = [], []
        for batch in iterate_unseen(batches):
            inputs, targets = unpack_pair(batch)
            loaded = to_tensor(inputs, "inputs").to(device)
            all_outputs.append((yield from compute_outputs(model, loaded, cuts)))
            all_targets.append(to_tensor(targets, "labels"))
        if not all_outputs:
            raise ValueError("The evaluator has no batches. Pass some: test_set.batches(512).")
        return torch.cat(all_outputs).to(device), torch.cat(all_targets).to(device)

    def _compute_metrics(
        self, model: nn.Module, outputs: Tensor, targets: Tensor
    ) -> dict[str, float]:
        """Return the metrics of all batches together, and store their predictions."""
        self.predictions, loss_targets = self._predict(model, outputs, targets)
        check_single_outputs(outputs, self.loss_fn, model)
        loss = to_number(self.loss_fn(outputs, loss_targets))
        if find_reduction(self.loss_fn) == "sum":
            loss /= len(self.predictions.labels)
        return {"test_loss": loss, "test_accuracy": _share_right(self.predictions)}

    def _predict(
        self, model: nn.Module, outputs: Tensor, targets: Tensor
    ) -> tuple[Predictions, Tensor]:
        """Return the predictions of the images that count, and the targets for the loss."""
        if len(outputs) != len(targets):
            shape = tuple(targets.shape)
            raise ValueError(f"The evaluator has {len(outputs)} images, labels of shape {shape}.")
        if len(targets) == 0:
            raise ValueError("The evaluator has no images: all its batches are empty.")
        labels, counted, loss_targets = read_targets(self, outputs, targets)
        if not counted.any():
            raise ValueError("The loss function ignores all labels of the evaluator.")
        probabilities = to_probabilities(outputs, self.loss_fn, model)
        return Predictions(probabilities[counted].cpu(), labels[counted].cpu()), loss_targets


def _share_right(predictions: Predictions) -> float:
    return int(predictions.are_right.sum()) / len(predictions.are_right)


def read_targets(
    evaluator: Evaluator, outputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return labels int64 (B,), whether each counts, and the targets for the loss function.

    Raises:
        ValueError: Outputs, targets and the evaluator's loss function do not fit together.
    """
    loss_fn = evaluator.loss_fn
    if find_loss_kind(loss_fn).compares_each:
        check_num_classes(evaluator.batches, outputs)
    loss_targets = to_loss_targets(loss_fn, outputs, targets)
    check_loss_inputs(loss_fn, outputs, loss_targets)
    return *to_labels(targets, count_classes(outputs), loss_fn), loss_targets


def predict_probabilities(
    model: nn.Module, images: ArrayLike, loss_fn: LossFunction | None = None
) -> Tensor:
    """Compute the network's probabilities for each class.

    If the model has an open session, its thread computes them; contexts of the calling thread, such
    as `torch.autocast`, do not apply there.

    Args:
        model: Returns raw scores, log-probabilities or probabilities (N, C), or a single number for
            each image, (N, 1) or (N,), which becomes the probabilities of two classes.
        images: uint8 (N, 28, 28) or (28, 28) as in `digit_set.images`, or floats in [0, 1]; a
            tensor, array or list. Stored images, and floats (N, 28, 28) or (28, 28), become
            (N, 1, 28, 28) as in a set's batches; a model that takes rows can begin with
            `nn.Flatten(1, 2)`. Floats of any other shape keep it. All are converted to the type of
            the model's parameters.
        loss_fn: The loss function of the training. It determines whether single numbers are scores
            or, with `nn.BCELoss`, probabilities; without it, the model's last layer does.

    Returns:
        float32 (N, C) on the CPU; each row sums to 1.

    Raises:
        ValueError: The images have another type, floats are whole numbers such as 0 to 255, uint8
            images have another shape, the model's outputs have another shape, or the images do not
            fit the model's layers.
    """
    return run_to_end(predict_in_portions(model, _prepare(images), loss_fn), model)


def _prepare(images: ArrayLike) -> Tensor:
    pixels = to_images(images)
    if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
        raise ValueError(
            f"The images are {pixels.dtype} of shape {tuple(pixels.shape)}; they must be a tensor "
            "of torch.uint8, such as digit_set.images, or of floats in [0, 1]."
        )
    if pixels.dim() < 2:
        raise ValueError(
            f"The images have the shape {tuple(pixels.shape)}; a single image has the shape "
            "(28, 28), or (1, 784) as a row of pixels. Reshape it with images.reshape(28, 28)."
        )
    if pixels.dtype == torch.uint8:
        return pixels.unsqueeze(0) if pixels.dim() == 2 else pixels
    if pixels.numel() and pixels.max() > _MOST_AS_FLOAT and pixels.equal(pixels.round()):
        raise ValueError(
            f"The images are floats from {pixels.min():g} to {pixels.max():g}, all of them whole "
            "numbers; floats must be in [0, 1]. Divide them by 255, or pass torch.uint8."
        )
    has_channels = pixels.dim() > 3 or pixels.shape[-2:] != (28, 28)
    return pixels if has_channels else pixels.reshape(-1, 1, 28, 28)


def predict_in_portions(
    model: nn.Module, images: Tensor, loss_fn: LossFunction | None = None
) -> Generator[None, None, Tensor]:
    """Return the same as `predict_probabilities`, and yield between two portions.

    Args:
        model: As for `predict_probabilities`.
        images: uint8 (N, 28, 28) or floats (N, ...).
        loss_fn: As for `predict_probabilities`.
    """
    # of most parameters, because a single one such as a temperature may have another
    types = Counter(each.dtype for each in model.parameters() if each.is_floating_point())
    ((dtype, _),) = types.most_common(1) or [(torch.float32, 0)]

    def convert(images: Tensor) -> Tensor:
        return (to_inputs(images) if images.dtype == torch.uint8 else images).to(dtype)

    outputs = yield from compute_outputs(model, images, ImageCuts(), convert)
    with evaluating(model):
        return to_probabilities(outputs, loss_fn, model).cpu()


def compute_outputs(
    model: nn.Module,
    inputs: Tensor,
    cuts: ImageCuts,
    convert: Callable[[Tensor], Tensor] | None = None,
) -> Generator[None, None, Tensor]:
    """Return the model's outputs on the CPU, and yield between two portions.

    Args:
        model: As for `predict_probabilities`.
        inputs: Those of the model, (N, ...).
        cuts: Chooses the number of inputs in a forward pass.
        convert: Changes the inputs of each forward pass; by default they are unchanged.
    """
    device = device_of(model)

    def compute(inputs: Tensor) -> Tensor:
        inputs = (inputs if convert is None else convert(inputs)).to(device)
        with explaining(model, inputs):
            outputs = check_outputs(model(inputs), len(inputs))
        # A compiled model may reuse its memory, and the copy waits until a GPU has finished.
        return outputs.to("cpu", copy=True)

    return cuts.map(compute, inputs, within=partial(evaluating, model))
