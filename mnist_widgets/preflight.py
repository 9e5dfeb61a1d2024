"""Checks that a training's model, loss function, optimizer and batches fit together.

Checks that need no batch are made with the `Trainer`. The rest is checked on the first batch of a
run when the loop has it, since an extra pass over a loader would draw from its generator. There is
no extra forward pass either: the checks run within the training step of the first batch. So a model
that prints, counts, caches or draws random numbers in its forward pass does so exactly as often as
without checks, and nothing that works is refused.
"""

from __future__ import annotations

import inspect
import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from mnist_widgets.batch_checks import (
    SINGLE_IMAGE,
    batch_norms_checked,
    check_pair,
    count_last_images,
)
from mnist_widgets.digit_set import Batches, check_same_classes
from mnist_widgets.epoch_batches import count_batches, find_inputs
from mnist_widgets.evaluator_checks import checking_evaluator
from mnist_widgets.loss_checks import LossFunction, checked
from mnist_widgets.module_state import ModuleState
from mnist_widgets.outputs import find_reduction
from mnist_widgets.part_kinds import check_kind

_PACKAGE = __name__.partition(".")[0]
_UNIT_RANGE_TOLERANCE = 1e-3
_TYPE_ERROR = (
    r"same dtype|same datatype|expected scalar type|Input type|input dtype|not implemented for"
)


class Parts(Protocol):
    """The parts of a `Trainer` that are checked, under its names.

    Attributes:
        has_usual_step: whether batches are trained by the package's `train_step`.
        warnings: sentences about possible mistakes; the checks add to them.
    """

    model: nn.Module
    loss_fn: LossFunction
    optimizer: Optimizer
    train_batches: Iterable[Any]
    evaluator: Any
    callbacks: list[Any]
    train_step: Callable[..., float]
    device: torch.device
    warnings: list[str]

    @property
    def has_usual_step(self) -> bool:
        """Whether batches are trained by the package's `train_step`."""


def check_parts(parts: Parts) -> None:
    """Make the checks that need no batch.

    With the usual training step, warns if the optimizer holds only some of the model's trainable
    parameters.

    Raises:
        TypeError: a part is a class instead of an instance, or something else altogether, or the
            batches have no length.
        ValueError: there is no batch, the evaluator's data has other classes, or the usual training
            step cannot use the optimizer or the loss function, for example because the optimizer
            holds none of the model's trainable parameters.
    """
    count_batches(parts.train_batches)
    check_same_classes(parts.train_batches, getattr(parts.evaluator, "batches", None))
    for name in ("model", "loss_fn", "optimizer", "evaluator"):
        check_kind(name, getattr(parts, name))
    for callback in parts.callbacks:
        check_kind("callback", callback)
    if not parts.has_usual_step:
        return  # another step may use several optimizers, or reduce the losses itself
    _check_optimizer(parts)
    if find_reduction(parts.loss_fn) == "none":
        raise ValueError(
            'loss_fn has reduction="none" and gives one loss for each image, but train_step needs '
            'a single number. Use reduction="mean", or a train_step of your own.'
        )


def train_first_batch(parts: Parts, batch: object) -> float:
    """Train on the first batch of a run with `parts.train_step`, and check it.

    All checks come before the update of the weights. After an error buffers, lazy layers and random
    state are put back.

    Warns if the inputs leave the range in which the evaluator sees its images.

    Returns:
        What the training step returns.

    Raises:
        TypeError: the batch is no pair of tensors, or what the model returns is no tensor.
        ValueError: outputs, targets and loss function do not fit, a batch has too few images for
            batch norm, or inputs and parameters differ in type.
    """
    if parts.has_usual_step:
        check_pair(batch)
    inputs = find_inputs(batch)
    _warn_of_range(parts, inputs)
    batch_norms = find_batch_norms(parts.model) if parts.has_usual_step else []
    with (
        _undone_on_error(parts.model, parts.device),
        batch_norms_checked(batch_norms, parts.train_batches, inputs),
        checking_evaluator(parts.evaluator, parts.model, inputs),
        checked(parts.loss_fn) as loss_fn,
    ):
        try:
            return parts.train_step(parts.model, batch, loss_fn, parts.optimizer, parts.device)
        except Exception as error:
            explanation = explain_error(error, parts.model, inputs)
            if explanation is None:
                raise
            raise ValueError(explanation) from error


def find_batch_norms(model: nn.Module) -> list[nn.Module]:
    """Return the layers that, in training mode, fail on a batch of a single image.

    `BatchNorm2d` is not among them: it has many values of each channel in one image.
    """
    kinds = (nn.BatchNorm1d, nn.LazyBatchNorm1d)
    return [module for module in model.modules() if isinstance(module, kinds)]


def check_batch_norm(model: nn.Module, train_batches: Iterable[Any]) -> None:
    """Check that a model with batch norm gets no last batch of a single image.

    Raises:
        ValueError: the last batch of each epoch has a single image.
    """
    is_training = any(module.training for module in find_batch_norms(model))
    if is_training and count_last_images(train_batches) == 1:
        raise ValueError(SINGLE_IMAGE)


def explain_error(error: Exception, model: nn.Module, inputs: Tensor | None) -> str | None:
    """Return why a model failed on a batch and the fix, as a sentence; None if unknown.

    Args:
        error: raised by the model or its training step.
        model: the model.
        inputs: its inputs, if they are known.
    """
    message = str(error)
    if "Expected more than 1 value per channel" in message:
        return "Batch norm cannot train on a batch of a single image. Use larger batches."
    if "grad can be implicitly created only for scalar outputs" in message:
        return (
            "The loss function gives one loss for each image, but backward() needs a single "
            "number. Let it return the mean."
        )
    if "does not require grad" in message and not _trainable(model):
        return (
            "Every parameter of the model is frozen (requires_grad is False), so there is nothing "
            "to train. Unfreeze some with parameter.requires_grad_(True)."
        )
    parameter = next((each for each in model.parameters() if each.is_floating_point()), None)
    if inputs is None or parameter is None or inputs.dtype == parameter.dtype:
        return None
    is_image = inputs.is_floating_point() or inputs.dtype == torch.uint8  # int64 may be indices
    if is_image and re.search(_TYPE_ERROR, message) and _failed_within(model, error):
        return _describe_types(inputs.dtype, parameter.dtype)
    return None


def check_default_dtype() -> None:
    """Check that new networks fit the images of the package, which are float32.

    Raises:
        ValueError: torch's default dtype was changed.
    """
    if torch.get_default_dtype() != torch.float32:
        raise ValueError(_describe_types(torch.float32, torch.get_default_dtype()))


def _describe_types(inputs: torch.dtype, parameters: torch.dtype) -> str:
    found = f"The inputs are {inputs}, but the model's parameters are {parameters}."
    default = torch.get_default_dtype()
    if default != torch.float32 and default in (inputs, parameters):
        wrong = "model" if default == parameters else "data"
        fix = (
            f"torch's default dtype was changed to {default}: call "
            f"torch.set_default_dtype(torch.float32) and make the {wrong} again."
        )
    elif parameters == torch.float32:
        fix = "Convert the inputs in the data, with inputs.float(), and scale them to [0, 1]."
    else:
        fix = "Convert the model with model.float()."
    return f"{found} {fix}"


def _check_optimizer(parts: Parts) -> None:
    if isinstance(parts.optimizer, LBFGS):
        raise ValueError(  # noqa: TRY004 - it is an optimizer, but train_step cannot use it
            "LBFGS computes the loss several times for each update and needs a closure, which "
            "train_step does not give it. Use another optimizer such as torch.optim.Adam, or a "
            "train_step of your own that calls optimizer.step(closure)."
        )
    groups = getattr(parts.optimizer, "param_groups", [])
    held = {id(parameter) for group in groups for parameter in group["params"]}
    trainable = _trainable(parts.model)
    missing = [name for name, parameter in trainable.items() if id(parameter) not in held]
    if held and missing and len(missing) == len(trainable):
        raise ValueError(
            "The optimizer holds the parameters of another network, so this one would never "
            "learn. Make a new optimizer, of model.parameters()."
        )
    if held and missing:
        names = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        _warn(
            parts,
            f"The optimizer does not hold {len(missing)} of the model's {len(trainable)} trainable "
            f"parameters ({names}), so these do not learn. If you intend this, freeze them with "
            "requires_grad_(False); otherwise make the optimizer of model.parameters().",
        )


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: each for name, each in model.named_parameters() if each.requires_grad}


def _failed_within(model: nn.Module, error: Exception) -> bool:
    """Return whether an error was raised while `model` computed its outputs."""
    modules = {id(module) for module in model.modules()}
    frames = traceback.walk_tb(error.__traceback__)
    return any(id(frame.f_locals.get("self")) in modules for frame, _ in frames)


def _warn_of_range(parts: Parts, inputs: Tensor | None) -> None:
    """Warn of inputs outside [0, 1] if the evaluator, and so the panels, sees images within it."""
    if inputs is None or not isinstance(getattr(parts.evaluator, "batches", None), Batches):
        return
    if inputs.numel() == 0 or inputs.is_complex():
        return
    lowest, highest = (float(value) for value in inputs.aminmax())
    if lowest < -_UNIT_RANGE_TOLERANCE or highest > 1 + _UNIT_RANGE_TOLERANCE:
        _warn(
            parts,
            f"The training inputs range from {lowest:.3g} to {highest:.3g}, but the evaluator and "
            "the panels give the model images in [0, 1]. If the training images are normalized, "
            "the model may look worse there than it is: train on images in [0, 1], or make the "
            "normalization the model's first layer.",
        )


def _warn(parts: Parts, sentence: str) -> None:
    """Warn once, at the line outside of this package that led here; panels show it as well."""
    if sentence in parts.warnings:
        return
    parts.warnings.append(sentence)
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, stacklevel=level)


@contextmanager
def _undone_on_error(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Put the model, but for its weights, and random state back if an error is raised."""
    state = ModuleState(model.modules())
    random_state = torch.get_rng_state()
    device_state = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        yield
    except Exception:
        torch.set_rng_state(random_state)
        if device_state is not None:
            torch.cuda.set_rng_state(device_state, device)
        state.restore()
        raise
