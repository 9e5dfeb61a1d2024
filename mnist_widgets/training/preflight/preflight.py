"""Check that the parts of a training fit together: model, loss, optimizer, batches, evaluator.

A new `Trainer` runs the checks that need no batch. The others run within the training step of the
first batch of a run. They load no extra batch, which would advance a loader's random generator, and
add no forward pass, which a model that prints, counts or draws random numbers would notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import LBFGS

from mnist_widgets.data.digit_set import Batches, check_same_classes
from mnist_widgets.data.unseen_batches import iterate_unseen
from mnist_widgets.system.short_text import list_first
from mnist_widgets.system.user_warnings import warn_user
from mnist_widgets.training.epoch_batches import check_pair, count_batches, find_inputs
from mnist_widgets.training.evaluation.evaluator import Evaluator
from mnist_widgets.training.evaluation.explanations import describe_types, explaining
from mnist_widgets.training.evaluation.loss_checks import checked
from mnist_widgets.training.evaluation.loss_kinds import find_reduction
from mnist_widgets.training.evaluation.module_state import ModuleState
from mnist_widgets.training.preflight.batch_checks import (
    batch_norms_checked,
    check_data_set,
    check_repeatable,
)
from mnist_widgets.training.preflight.evaluator_checks import checking_evaluator, compare_losses
from mnist_widgets.training.preflight.parameters import count_trainable, find_missing
from mnist_widgets.training.training_step import TrainStep, train_step

if TYPE_CHECKING:
    from mnist_widgets.training.trainer import Trainer

_UNIT_RANGE_TOLERANCE = 1e-3
_PARTS = {  # the method that each part needs, and an example of the part
    "model": ("__call__", "SimpleNet(28 * 28, 10)"),
    "loss_fn": ("__call__", "nn.CrossEntropyLoss()"),
    "optimizer": ("zero_grad", "torch.optim.Adam(model.parameters())"),
    "evaluator.loss_fn": ("__call__", "nn.CrossEntropyLoss()"),
    "evaluator": ("evaluate", "Evaluator(test_set.batches(512))"),
    "callback": ("on_batch_end", "ProgressBar()"),
}


def check_parts(trainer: Trainer) -> None:
    """Run the checks that need no batch.

    Warn if the optimizer has only some of the model's trainable parameters and `train_step` is the
    one of this package, or if the losses of the training and of an `Evaluator` differ in kind or
    in options.

    Raises:
        TypeError: A part is a class instead of an instance, or has the wrong type, the batches have
            no length or are an iterator, or an `Evaluator` has a data set or an iterator instead of
            batches.
        ValueError: There is no batch, the evaluator's data has other classes, or the package's
            `train_step` cannot use the optimizer or the loss function, for example because the
            optimizer has none of the model's trainable parameters.
    """
    count_batches(trainer.train_batches)
    check_repeatable(trainer.train_batches, "train_batches")
    check_same_classes(trainer.train_batches, getattr(trainer.evaluator, "batches", None))
    for name in ("model", "loss_fn", "optimizer"):
        _check_part(name, getattr(trainer, name))
    if trainer.evaluator is not None:
        _check_part("evaluator", trainer.evaluator)
    if type(trainer.evaluator) is Evaluator:
        _check_part("evaluator.loss_fn", trainer.evaluator.loss_fn)
        check_repeatable(trainer.evaluator.batches, "evaluator.batches")
        check_data_set(trainer.evaluator.batches)
        if trainer.evaluator.train_batches is not None:
            check_repeatable(trainer.evaluator.train_batches, "evaluator.train_batches")
            check_data_set(trainer.evaluator.train_batches)
        divides = not _has_usual_step(trainer)
        if sentence := compare_losses(trainer.loss_fn, trainer.evaluator, divides=divides):
            _warn(trainer, sentence)
    for callback in trainer.callbacks:
        _check_part("callback", callback)
    if not _has_usual_step(trainer):
        return  # another step may use several optimizers, or reduce the losses itself
    _check_optimizer(trainer)
    if find_reduction(trainer.loss_fn) == "none":
        raise ValueError(
            'loss_fn has reduction="none" and returns one loss for each image, but train_step '
            'needs a single number. Use reduction="mean", or your own train_step.'
        )


def train_first_batch(trainer: Trainer, batch: object, step: TrainStep) -> float:
    """Train on the first batch of a run, and check it.

    All checks come before the update of the weights. After an error, buffers, lazy layers and
    random generators are restored.

    Warn if the inputs are outside the range of the evaluator's images, or if there are more outputs
    than the evaluator's data has classes.

    Args:
        trainer: its parts are checked.
        batch: the first batch.
        step: the trainer's `train_step`, or one that records it.

    Returns:
        The return value of the training step.

    Raises:
        TypeError: The batch is not a pair of tensors, or the model does not return a tensor.
        ValueError: Outputs, targets and loss function do not fit, a batch has too few images for
            batch norm, or the model fails because of its inputs' shape or type.
    """
    if _has_usual_step(trainer):
        check_pair(batch, trainer.train_batches)
    inputs = find_inputs(batch)
    _compare_ranges(trainer, inputs)
    batch_norms = find_batch_norms(trainer.model) if _has_usual_step(trainer) else []
    with (
        _undone_on_error(trainer.model, trainer.device),
        batch_norms_checked(batch_norms, trainer.train_batches, inputs),
        checking_evaluator(trainer.evaluator, trainer.model, inputs) as seen,
        checked(trainer.loss_fn, seen.check_targets) as loss_fn,
        explaining(trainer.model, inputs),
    ):
        returned = step(trainer.model, batch, loss_fn, trainer.optimizer, trainer.device)
    for doubt in seen.doubts:
        _warn(trainer, doubt)
    return returned


def find_batch_norms(model: nn.Module) -> list[nn.Module]:
    """Return the layers that may fail on a batch of a single image in training mode.

    Those of two or three dimensions fail if a channel of the image has only one value.
    """
    kinds = (
        *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
        *(nn.LazyBatchNorm1d, nn.LazyBatchNorm2d, nn.LazyBatchNorm3d, nn.SyncBatchNorm),
    )
    return [module for module in model.modules() if isinstance(module, kinds)]


def check_default_dtype() -> None:
    """Check that new networks fit the images of the package, which are float32.

    Raises:
        ValueError: torch's default dtype was changed.
    """
    if torch.get_default_dtype() != torch.float32:
        raise ValueError(describe_types(torch.float32, torch.get_default_dtype()))


def _has_usual_step(trainer: Trainer) -> bool:
    """Return whether the package's `train_step` trains the batches."""
    return trainer.train_step is train_step


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


def _check_optimizer(trainer: Trainer) -> None:
    if isinstance(trainer.optimizer, LBFGS):
        raise ValueError(  # noqa: TRY004 - it is an optimizer, but train_step cannot use it
            "LBFGS computes the loss several times for each update and needs a closure, which "
            "train_step does not pass. Use another optimizer such as torch.optim.Adam, or your own "
            "train_step that calls optimizer.step(closure)."
        )
    missing = find_missing(trainer.model, trainer.optimizer)
    num_trainable = count_trainable(trainer.model)
    if missing and len(missing) == num_trainable:
        raise ValueError(
            "The optimizer has the parameters of another network, so this one would never learn. "
            "Make a new optimizer with model.parameters()."
        )
    if missing:
        _warn(
            trainer,
            f"The optimizer does not have {len(missing)} of the model's {num_trainable} trainable "
            f"parameters ({list_first(missing)}), so these do not learn. If you intend this, "
            "freeze them with requires_grad_(False); otherwise make the optimizer with "
            "model.parameters().",
        )


def _compare_ranges(trainer: Trainer, inputs: Tensor | None) -> None:
    """Note the range of the inputs, and warn if it is not that of the evaluator's images."""
    trainer.input_range = _measure_range(inputs)
    batches = getattr(trainer.evaluator, "batches", None)
    if type(batches) is not Batches or not leaves_unit_range(trainer.input_range):
        return
    first = next(iterate_unseen(replace(batches, shuffle=False)), None)
    if first is not None and not leaves_unit_range(_measure_range(first[0])):
        lowest, highest = trainer.input_range or (0, 1)
        _warn(
            trainer,
            f"The training inputs range from {lowest:.3g} to {highest:.3g}, but the evaluator "
            "gives the model images in [0, 1]. If the training images are normalized, "
            "the model may look worse than it is: train on images in [0, 1], or make the "
            "normalization the model's first layer.",
        )


def _measure_range(inputs: Tensor | None) -> tuple[float, float] | None:
    if inputs is None or inputs.numel() == 0:
        return None
    try:
        lowest, highest = inputs.aminmax()
    except RuntimeError:  # complex, sparse or of another type without an order
        return None
    return float(lowest), float(highest)


def leaves_unit_range(values: tuple[float, float] | None) -> bool:
    """Return whether the lowest and highest value are not those of images in [0, 1]."""
    lowest, highest = values or (0, 1)
    return lowest < -_UNIT_RANGE_TOLERANCE or highest > 1 + _UNIT_RANGE_TOLERANCE


def _warn(trainer: Trainer, sentence: str) -> None:
    """Warn once, at the calling line outside this package; panels show the warning as well."""
    if sentence not in trainer.warnings:
        trainer.warnings.append(sentence)
        warn_user(sentence)


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
