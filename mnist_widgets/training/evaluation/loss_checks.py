"""Check that a model's outputs and the targets fit the loss function.

For some pairs PyTorch computes a meaningless loss without an error. For others its error message
does not name the targets or the fix. Only the losses of `torch.nn` are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from mnist_widgets.system.short_text import name_callable
from mnist_widgets.training.evaluation.loss_kinds import (
    LossKind,
    find_ignored,
    find_loss_kind,
    find_option,
)
from mnist_widgets.training.training_step import LossFunction

# For log-probabilities it is 0 except for rounding errors, for ten equal scores it is 2.3.
_LARGEST_LOG_SUM = 0.05


@contextmanager
def checked(
    loss_fn: LossFunction, check_more: Callable[[object, object], None] | None = None
) -> Iterator[LossFunction]:
    """Yield `loss_fn`, which within this context first checks its outputs and targets.

    If there is a `check_more`, it gets them too.

    A module gets one more hook within this context; a function is wrapped.
    """

    def check(arguments: tuple[Any, ...]) -> None:
        if len(arguments) >= 2:  # otherwise they are passed by name
            check_loss_inputs(loss_fn, *arguments[:2])
            if check_more is not None:
                check_more(*arguments[:2])

    if find_loss_kind(loss_fn).targets == "other":
        yield loss_fn
        return
    if isinstance(loss_fn, nn.Module):
        with loss_fn.register_forward_pre_hook(lambda _module, arguments: check(arguments)):
            yield loss_fn
        return

    @wraps(loss_fn)
    def check_and_compute(*arguments: Any, **options: Any) -> Tensor:  # noqa: ANN401 - as loss_fn
        check(arguments)
        return loss_fn(*arguments, **options)

    yield check_and_compute


def check_loss_inputs(loss_fn: LossFunction, outputs: object, targets: object) -> None:
    """Check that `loss_fn` computes a meaningful loss for these outputs and targets.

    Args:
        loss_fn: A loss of `torch.nn` or `torch.nn.functional`; any other is not checked.
        outputs: The outputs of the model, usually (B, C).
        targets: The targets of the batch, usually (B,).

    Raises:
        TypeError: The outputs or the targets are not a tensor.
        ValueError: Their shapes, types or values do not fit; the message names the fix.
    """
    kind = find_loss_kind(loss_fn)
    if kind.targets == "other":
        return
    if outputs is None:
        raise TypeError(
            f"The model returns None, but {name_callable(loss_fn)} needs its outputs. End "
            "the model's forward with a return."
        )
    for role, value in (("model returns", outputs), ("batch's targets are", targets)):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"The {role} a {type(value).__name__}, but {name_callable(loss_fn)} needs a "
                "tensor. Write a train_step that passes the right tensor to the loss function."
            )
    _CHECKS[kind.targets](kind, loss_fn, outputs, targets)


def _check_classes(kind: LossKind, loss_fn: object, outputs: Tensor, targets: Tensor) -> None:
    name = name_callable(loss_fn)
    is_unbatched = outputs.dim() == 1 and targets.dim() == 0
    class_axis = 0 if is_unbatched else 1
    if outputs.dim() > 2 and targets.dim() == 1 and outputs[0].numel() > 1:
        raise ValueError(
            f"{name} needs one output for each class, shape (B, C), but the outputs have shape "
            f"{tuple(outputs.shape)}. If they are scores of {outputs[0].numel()} classes, end the "
            "model with nn.Flatten()."
        )
    if outputs.dim() <= class_axis or outputs.shape[class_axis] == 1:
        raise ValueError(
            f"{name} needs one output for each class, shape (B, C), but the outputs have shape "
            f"{tuple(outputs.shape)}. Give the model two outputs for two classes, or use "
            "nn.BCEWithLogitsLoss(), in the Evaluator too, with float targets of the outputs' "
            "shape."
        )
    takes_shares = kind.module is nn.CrossEntropyLoss
    are_shares = takes_shares and targets.is_floating_point() and targets.shape == outputs.shape
    _check_class_weights(name, loss_fn, outputs, class_axis, of_any_type=are_shares)
    if are_shares:
        return
    wanted = (*outputs.shape[:class_axis], *outputs.shape[class_axis + 1 :])
    found = (
        f"For outputs of shape {tuple(outputs.shape)}, {name} takes class numbers, int64 of shape "
        f"{wanted}, but the targets are {_describe(targets)}."
    )
    if targets.shape == outputs.shape:
        conversion = "targets.float().argmax(dim=1)"
        raise ValueError(f"{found} If they are one-hot: {_how_to_convert(kind, conversion)}")
    conversion = "targets"
    if targets.shape != wanted:
        if (targets.numel(),) != wanted:
            raise ValueError(f"{found} There must be one target for each image.")
        conversion += ".flatten()"
    takes_uint8 = kind.module is not nn.MultiMarginLoss
    if targets.dtype != torch.int64 and not (takes_uint8 and targets.dtype == torch.uint8):
        conversion += ".long()"
    if conversion != "targets":
        raise ValueError(f"{found} {_how_to_convert(kind, conversion)}")
    _check_range(outputs, targets, class_axis, find_ignored(loss_fn))
    if kind.outputs == "log-probabilities":
        _check_log_probabilities(name, outputs.detach().float().logsumexp(dim=class_axis))


def _check_class_weights(
    name: str, loss_fn: object, outputs: Tensor, class_axis: int, *, of_any_type: bool
) -> None:
    weights = find_option(loss_fn, "weight", None)
    if not isinstance(weights, Tensor):
        return
    num_classes = outputs.shape[class_axis]
    if weights.shape != (num_classes,):
        raise ValueError(
            f"The class weights of {name} have shape {tuple(weights.shape)}, but the model's "
            f"outputs of shape {tuple(outputs.shape)} are for {num_classes} classes. Pass one "
            f"weight for each class, a tensor of shape ({num_classes},)."
        )
    fits = of_any_type or weights.dtype == outputs.dtype
    if not fits and not torch.is_autocast_enabled(outputs.device.type):
        raise ValueError(
            f"The class weights of {name} are {_type_of(weights)}, but the model's outputs are "
            f"{_type_of(outputs)}. Convert the weights: weight.to({outputs.dtype})."
        )


def _check_range(outputs: Tensor, targets: Tensor, class_axis: int, ignored: int | None) -> None:
    num_classes = outputs.shape[class_axis]
    targets = targets.long()  # a uint8 cannot be compared with -100
    wrong = targets[(targets < 0) | (targets >= num_classes)]
    if ignored is not None:
        wrong = wrong[wrong != ignored]
    if len(wrong):
        raise ValueError(
            f"A target is {wrong[0].item()}, but the model's outputs of shape "
            f"{tuple(outputs.shape)} are for the classes 0 to {num_classes - 1}. Number the "
            "classes from 0, and give the model one output for each class."
        )


def _check_log_probabilities(name: str, log_sums: Tensor) -> None:
    if (log_sums.abs() > _LARGEST_LOG_SUM).any():
        raise ValueError(
            f"{name} takes log-probabilities, but the exponentials of the model's outputs sum to "
            f"{log_sums.flatten()[0].exp().item():.3g} instead of 1. End the model with "
            "nn.LogSoftmax(dim=1), or use nn.CrossEntropyLoss(), which takes raw scores."
        )


def _check_numbers(kind: LossKind, loss_fn: object, outputs: Tensor, targets: Tensor) -> None:
    if outputs.shape == targets.shape:
        _check_output_weights(loss_fn, outputs)
        return
    found = (
        f"{name_callable(loss_fn)} needs one target for each output, but the outputs have shape "
        f"{tuple(outputs.shape)} and the targets have shape {tuple(targets.shape)}."
    )
    if outputs.numel() == targets.numel():
        shape = (-1, *outputs.shape[1:])
        conversion = "targets.flatten()" if len(shape) == 1 else f"targets.reshape{shape}"
        if targets.dtype != outputs.dtype:
            conversion += f".to({outputs.dtype})"
        raise ValueError(f"{found} {_how_to_convert(kind, conversion)}")
    if outputs.dim() == 2 and targets.dim() == 1:
        found += " For class numbers use nn.CrossEntropyLoss()."
        if kind.targets == "signs":
            raise ValueError(found)
        classes = "targets" if targets.dtype == torch.int64 else "targets.long()"
        one_hot = f"nn.functional.one_hot({classes}, {outputs.shape[1]})"
        conversion = f"{one_hot}.to({outputs.dtype})"
        raise ValueError(f"{found} {_how_to_convert(kind, conversion)}")
    raise ValueError(found)


def _check_output_weights(loss_fn: object, outputs: Tensor) -> None:
    for option in ("weight", "pos_weight"):
        weights = find_option(loss_fn, option, None)
        if isinstance(weights, Tensor) and not _broadcasts_to(weights.shape, outputs.shape):
            raise ValueError(
                f"The {option} of {name_callable(loss_fn)} has shape {tuple(weights.shape)}, which "
                f"does not fit the model's outputs of shape {tuple(outputs.shape)}. Pass one "
                "number for each output of an image, a tensor of shape "
                f"{tuple(outputs.shape[1:]) or (1,)}."
            )


def _broadcasts_to(shape: torch.Size, wanted: torch.Size) -> bool:
    try:
        return bool(torch.broadcast_shapes(shape, wanted) == wanted)
    except RuntimeError:
        return False


def _check_shares(kind: LossKind, loss_fn: object, outputs: Tensor, targets: Tensor) -> None:
    name = name_callable(loss_fn)
    with_logits = kind.outputs == "scores"
    if targets.numel() == outputs.numel() and _leaves_unit_range(targets):
        raise ValueError(
            f"{name} takes targets from 0 to 1, but one is {_furthest_outside(targets):g}. For "
            "more than two classes use nn.CrossEntropyLoss() and one output for each class."
        )
    _check_numbers(kind, loss_fn, outputs, targets)
    if not targets.is_floating_point() or (targets.dtype != outputs.dtype and not with_logits):
        raise ValueError(
            f"{name} takes targets of type {_type_of(outputs)}, but they are {_describe(targets)}. "
            f"{_how_to_convert(kind, f'targets.to({outputs.dtype})')}"
        )
    if not with_logits and _leaves_unit_range(outputs):
        raise ValueError(
            f"{name} takes probabilities from 0 to 1, but an output is "
            f"{_furthest_outside(outputs):g}. End the model with nn.Sigmoid(), or use "
            "nn.BCEWithLogitsLoss(), which takes raw scores."
        )


_CHECKS: dict[str, Callable[[LossKind, object, Any, Any], None]] = {
    "classes": _check_classes,
    "signs": _check_numbers,
    "numbers": _check_numbers,
    "shares": _check_shares,
}


def _how_to_convert(kind: LossKind, conversion: str) -> str:
    """Return where to convert `targets`, so that an evaluator with this loss works as well."""
    if kind.compares_each:  # for these an `Evaluator` converts the labels itself
        converted = conversion.replace("targets", "batch[1]")
        return (
            "Convert them in the data, or in your own train_step: Trainer(..., train_step=lambda "
            f"model, batch, *rest: train_step(model, (batch[0], {converted}), *rest))."
        )
    if kind.module is nn.GaussianNLLLoss:  # only the user's own step passes it the variances
        return f"Convert them in the data, or in your own train_step: {conversion}."
    return (
        "Convert them in the data, or in your own loss function, in the Evaluator too, with the "
        "same options: loss_fn = lambda outputs, targets: "
        f"nn.functional.{kind.function.__name__}(outputs, {conversion})."
    )


def _leaves_unit_range(values: Tensor) -> bool:
    return bool(((values < 0) | (values > 1)).any())


def _furthest_outside(values: Tensor) -> float:
    values = values.detach().flatten()
    return float(values[(values.float() - 0.5).abs().argmax()])


def _describe(values: Tensor) -> str:
    return f"{_type_of(values)} of shape {tuple(values.shape)}"


def _type_of(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")
