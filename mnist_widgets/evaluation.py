"""How well a network does: probabilities, loss, accuracy.

Evaluating changes nothing: the model, its device and torch's random numbers stay as they were. A
model that draws random numbers in evaluation mode advances them, as it does everywhere.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import is_lazy
from torch.random import fork_rng

from mnist_widgets.batch_checks import unpack_judged
from mnist_widgets.devices import device_of
from mnist_widgets.digit_set import Batches, DigitSet, to_inputs
from mnist_widgets.loss_checks import LossFunction, check_loss_inputs
from mnist_widgets.module_state import ModuleState
from mnist_widgets.outputs import (
    check_outputs,
    find_reduction,
    to_labels,
    to_loss_targets,
    to_probabilities,
    warn_of_unclear_scores,
)
from mnist_widgets.portions import ImageCuts, run_to_end
from mnist_widgets.predictions import Predictions
from mnist_widgets.tensors import ArrayLike, to_images, to_tensor

_IMAGES_PER_FORWARD_PASS = 1024


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within this context `model` is in evaluation mode and computes no gradients.

    Afterwards each module has the mode, buffers, kept tensors and lazy parameters that it had.
    Torch's random numbers go on as if lazy layers, which get their first weights here, drew none.
    """
    device = device_of(model)
    state = ModuleState(model.modules())
    # Only where it is needed: another thread that draws meanwhile would get the same numbers again.
    draws = any(map(is_lazy, chain(model.parameters(), model.buffers())))
    fork = fork_rng([device] if device.type == "cuda" else []) if draws else nullcontext()
    try:
        # no inference_mode: a tensor that a model keeps from it could never be trained with
        with torch.no_grad(), fork:
            model.eval()
            yield
    finally:
        state.restore()


class Evaluator:
    """Judges a model on the same batches each time: mean loss and share of right predictions.

    Args:
        batches: inputs (B, ...) and labels (B,), such as `test_set.batches(512)` or a `DataLoader`;
            labels (B, 1) and one-hot targets (B, C) count as the classes that they name.
        loss_fn: the loss of outputs and labels; by default cross-entropy, which takes raw scores.
            It gets the outputs and labels of all batches at once, so that the loss does not depend
            on how the batches are cut. The labels are as they were loaded; only losses of
            `torch.nn` that compare number by number, as `nn.BCELoss` and `nn.MSELoss`, get them
            in the outputs' shape and type, one-hot if there is an output for each class.

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

        Equal weights give equal metrics. The loss may differ in its last digits if a forward pass
        takes longer than about 10 ms, since the number of images in a pass then follows the time.

        Raises:
            TypeError: if a batch is no pair.
            ValueError: if there is no batch, no label counts, or outputs, labels and loss function
                do not fit together; the message names the shapes.
        """
        return run_to_end(self.evaluate_in_portions(model, device))

    def evaluate_in_portions(
        self, model: nn.Module, device: torch.device | str
    ) -> Generator[None, None, dict[str, float]]:
        """Return what `evaluate` does, and yield between two portions of about 25 ms.

        Between two portions the model is as it was before. A cancelled evaluation leaves
        `predictions` as they were.
        """
        all_outputs, all_targets = [], []
        cuts = ImageCuts()
        for batch in _draw_apart(self.batches):
            inputs, targets = unpack_judged(batch)
            images = to_tensor(inputs, "inputs").to(device)
            all_outputs.append((yield from _compute_outputs(model, images, cuts)))
            all_targets.append(to_tensor(targets, "labels"))
        with evaluating(model):
            return self._judge(model, device, all_outputs, all_targets)

    def _judge(
        self,
        model: nn.Module,
        device: torch.device | str,
        all_outputs: list[Tensor],
        all_targets: list[Tensor],
    ) -> dict[str, float]:
        """Return the metrics of all batches together, and keep their predictions."""
        if not all_outputs:
            raise ValueError(
                "The evaluator has no batches. Pass at least one, for example "
                "test_set.batches(512)."
            )
        outputs, targets = torch.cat(all_outputs).to(device), torch.cat(all_targets).to(device)
        if len(outputs) != len(targets):
            raise ValueError(
                f"The evaluator's batches hold {len(outputs)} images, but labels of the shape "
                f"{tuple(targets.shape)}."
            )
        labels, counted, loss_targets = read_targets(self, outputs, targets)
        num_images = int(counted.sum())
        if num_images == 0:
            raise ValueError("The evaluator has no label that counts; all are ignored.")
        probabilities = to_probabilities(outputs, self.loss_fn, model)
        warn_of_unclear_scores(outputs, self.loss_fn, model)
        loss = _to_number(self.loss_fn(outputs, loss_targets))
        if find_reduction(self.loss_fn) == "sum":
            loss /= num_images
        self.predictions = Predictions(probabilities[counted].cpu(), labels[counted].cpu())
        num_right = int(self.predictions.are_right.sum())
        return {"test_loss": loss, "test_accuracy": num_right / num_images}


def read_targets(
    evaluator: Evaluator, outputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return labels int64 (B,), whether each counts, and the targets that the loss takes.

    Raises:
        ValueError: outputs, targets and the evaluator's loss function do not fit together.
    """
    loss_fn = evaluator.loss_fn
    num_classes = 2 if outputs.numel() == len(outputs) else outputs.shape[1]
    loss_targets = to_loss_targets(loss_fn, outputs, targets)
    digit_set = getattr(evaluator.batches, "digit_set", None)
    if loss_targets is not targets and isinstance(digit_set, DigitSet):
        num_named = len(digit_set.class_names)
        if num_classes != num_named:
            raise ValueError(
                f"The model's outputs have the shape {tuple(outputs.shape)}, which stands for "
                f"{num_classes} classes, but the evaluator's data has {num_named} classes."
            )
    check_loss_inputs(loss_fn, outputs, loss_targets)
    return *to_labels(targets, num_classes, loss_fn), loss_targets


def _draw_apart(batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches; torch's random numbers go on as if a shuffling loader drew none."""
    if is_without_draws(batches):
        yield from batches
        return
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


def is_without_draws(batches: object) -> bool:
    """Return whether iterating these batches draws no random numbers for sure."""
    is_in_order = type(batches) is Batches and not batches.shuffle
    return is_in_order or isinstance(batches, (list, tuple))


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
    outputs = yield from _compute_outputs(model, images, ImageCuts())
    with evaluating(model):
        return to_probabilities(outputs, loss_fn, model).cpu()


def _compute_outputs(
    model: nn.Module, images: Tensor, cuts: ImageCuts
) -> Generator[None, None, Tensor]:
    device = device_of(model)

    def compute(images: Tensor) -> Tensor:
        inputs = to_inputs(images) if images.dtype == torch.uint8 else images
        outputs = check_outputs(model(inputs.to(device)), len(inputs))
        # A compiled model may reuse its memory, and a GPU has done its work only at such a copy.
        return outputs.to("cpu", copy=True)

    return cuts.map(compute, images, within=partial(evaluating, model))
