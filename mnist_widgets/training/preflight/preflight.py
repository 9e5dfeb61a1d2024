"""Check that the parts of a training fit together: model, loss, optimizer, batches, evaluator.

A new `Trainer` runs the checks that need no batch. The others run within the training step of the
first batch of a run. They load no extra batch, which would advance a loader's random generator, and
add no forward pass, which a model that prints, counts or draws random numbers would notice.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from mnist_widgets.data.digit_set import Batches, check_same_classes
from mnist_widgets.training.epoch_batches import count_batches, find_inputs
from mnist_widgets.training.evaluation.module_state import ModuleState
from mnist_widgets.training.evaluation.outputs import find_reduction
from mnist_widgets.training.preflight.batch_checks import (
    SINGLE_IMAGE,
    batch_norms_checked,
    check_pair,
    count_last_images,
)
from mnist_widgets.training.preflight.evaluator_checks import checking_evaluator
from mnist_widgets.training.preflight.explanations import describe_types, explaining
from mnist_widgets.training.preflight.loss_checks import LossFunction, checked

_PACKAGE = __name__.partition(".")[0]
_UNIT_RANGE_TOLERANCE = 1e-3
_PARTS = {  # the method that each part needs, and an example of the part
    "model": ("__call__", "SimpleNet(28 * 28, 10)"),
    "loss_fn": ("__call__", "nn.CrossEntropyLoss()"),
    "optimizer": ("zero_grad", "torch.optim.Adam(model.parameters())"),
    "evaluator": ("evaluate", "Evaluator(test_set.batches(512))"),
    "callback": ("on_batch_end", "ProgressBar()"),
}


class Parts(Protocol):
    """The attributes of a `Trainer` that are checked.

    Attributes:
        warnings: Sentences about possible mistakes; the checks append to them.
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
        """Whether `train_step` is the one of this package."""


def check_parts(parts: Parts) -> None:
    """Run the checks that need no batch.

    Warn if the optimizer has only some of the model's trainable parameters and `train_step` is the
    one of this package.

    Raises:
        TypeError: A part is a class instead of an instance, or has the wrong type, or the batches
            have no length.
        ValueError: There is no batch, the evaluator's data has other classes, or the package's
            `train_step` cannot use the optimizer or the loss function, for example because the
            optimizer has none of the model's trainable parameters.
    """
    count_batches(parts.train_batches)
    check_same_classes(parts.train_batches, getattr(parts.evaluator, "batches", None))
    for name in ("model", "loss_fn", "optimizer"):
        _check_part(name, getattr(parts, name))
    if parts.evaluator is not None:
        _check_part("evaluator", parts.evaluator)
    for callback in parts.callbacks:
        _check_part("callback", callback)
    if not parts.has_usual_step:
        return  # another step may use several optimizers, or reduce the losses itself
    _check_optimizer(parts)
    if find_reduction(parts.loss_fn) == "none":
        raise ValueError(
            'loss_fn has reduction="none" and returns one loss for each image, but train_step '
            'needs a single number. Use reduction="mean", or your own train_step.'
        )


def train_first_batch(parts: Parts, batch: object) -> float:
    """Train on the first batch of a run with `parts.train_step`, and check it.

    All checks come before the update of the weights. After an error, buffers, lazy layers and
    random generators are restored.

    Warn if the inputs are outside the range of the evaluator's images.

    Returns:
        The return value of the training step.

    Raises:
        TypeError: The batch is not a pair of tensors, or the model does not return a tensor.
        ValueError: Outputs, targets and loss function do not fit, a batch has too few images for
            batch norm, or the model fails because of its inputs' shape or type.
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
        explaining(parts.model, inputs),
    ):
        return parts.train_step(parts.model, batch, loss_fn, parts.optimizer, parts.device)


def find_batch_norms(model: nn.Module) -> list[nn.Module]:
    """Return the layers that fail on a batch of a single image in training mode.

    `BatchNorm2d` does not: one image has many values in each channel.
    """
    kinds = (nn.BatchNorm1d, nn.LazyBatchNorm1d)
    return [module for module in model.modules() if isinstance(module, kinds)]


def check_batch_norm(model: nn.Module, train_batches: Iterable[Any]) -> None:
    """Check that the last batch has more than one image if the model has batch norm.

    Raises:
        ValueError: The last batch of each epoch has a single image.
    """
    is_training = any(module.training for module in find_batch_norms(model))
    if is_training and count_last_images(train_batches) == 1:
        raise ValueError(SINGLE_IMAGE)


def check_default_dtype() -> None:
    """Check that new networks fit the images of the package, which are float32.

    Raises:
        ValueError: torch's default dtype was changed.
    """
    if torch.get_default_dtype() != torch.float32:
        raise ValueError(describe_types(torch.float32, torch.get_default_dtype()))


def _check_part(name: str, part: object) -> None:
    """Raise a `TypeError` if a part is a class, or an object without the method that it needs."""
    method, example = _PARTS[name]
    if isinstance(part, type):
        raise TypeError(
            f"{name} is the class {part.__name__} itself. Make an instance of it, as in "
            f"{name} = {example}."
        )
    if hasattr(part, "get_last_lr"):
        example = "LearningRateScheduler(scheduler)"
    if not callable(getattr(part, method, None)):
        raise TypeError(
            f"{name} is a {type(part).__name__}, which cannot be used as one. Pass one such as "
            f"{example}."
        )


def _check_optimizer(parts: Parts) -> None:
    if isinstance(parts.optimizer, LBFGS):
        raise ValueError(  # noqa: TRY004 - it is an optimizer, but train_step cannot use it
            "LBFGS computes the loss several times for each update and needs a closure, which "
            "train_step does not pass. Use another optimizer such as torch.optim.Adam, or your own "
            "train_step that calls optimizer.step(closure)."
        )
    groups = getattr(parts.optimizer, "param_groups", [])
    held = {id(parameter) for group in groups for parameter in group["params"]}
    parameters = parts.model.named_parameters()
    trainable = {name: each for name, each in parameters if each.requires_grad}
    missing = [name for name, parameter in trainable.items() if id(parameter) not in held]
    if held and missing and len(missing) == len(trainable):
        raise ValueError(
            "The optimizer has the parameters of another network, so this one would never learn. "
            "Make a new optimizer with model.parameters()."
        )
    if held and missing:
        names = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        _warn(
            parts,
            f"The optimizer does not have {len(missing)} of the model's {len(trainable)} trainable "
            f"parameters ({names}), so these do not learn. If you intend this, freeze them with "
            "requires_grad_(False); otherwise make the optimizer with model.parameters().",
        )


def _warn_of_range(parts: Parts, inputs: Tensor | None) -> None:
    """Warn about inputs outside [0, 1] if the evaluator and the panels use images in [0, 1]."""
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
            "the model may look worse than it is: train on images in [0, 1], or make the "
            "normalization the model's first layer.",
        )


def _warn(parts: Parts, sentence: str) -> None:
    """Warn once, at the calling line outside this package; panels show the warning as well."""
    if sentence in parts.warnings:
        return
    parts.warnings.append(sentence)
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, stacklevel=level)


@contextmanager
def _undone_on_error(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Restore the model except its weights, and the random generators, after an error."""
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
