"""Whether a model's outputs and its targets fit the loss function.

PyTorch accepts some pairs silently and computes a meaningless loss. For others its error names
neither the targets nor the fix. Only the losses of `torch.nn` are checked; any other one is
trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from types import FunctionType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.outputs import find_option

LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]

_LARGEST_LOG_SUM = 0.05  # of log-probabilities; 0 but for rounding, and 2.3 for ten equal scores


@contextmanager
def checked(loss_fn: LossFunction) -> Iterator[LossFunction]:
    """Yield `loss_fn`, which within this context first checks that outputs and targets fit it.

    A module keeps its type, attributes and hooks, and has one more hook within this context. A
    function is wrapped.
    """

    def check(arguments: tuple[Any, ...]) -> None:
        if len(arguments) >= 2:  # else they are passed by name
            check_loss_inputs(loss_fn, *arguments[:2])

    if _find_check(loss_fn) is None:
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
    """Check that `loss_fn` gives the loss that is meant for these outputs and targets.

    Args:
        loss_fn: a loss of `torch.nn` or `torch.nn.functional`; any other one passes.
        outputs: what the model returned, usually (B, C).
        targets: the targets of the batch, usually (B,).

    Raises:
        TypeError: outputs or targets are no tensors.
        ValueError: their shapes, types or values do not fit; the message says how to mend it.
    """
    check = _find_check(loss_fn)
    if check is None:
        return
    for role, value in (("model returns", outputs), ("batch's targets are", targets)):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"The {role} a {type(value).__name__}, but {_name(loss_fn)} needs a tensor. Write "
                "a train_step that passes the right tensor to the loss function."
            )
    check(loss_fn, outputs, targets)


def _check_class_indices(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> None:
    name = _name(loss_fn)
    takes_probabilities = _is_one_of(loss_fn, nn.CrossEntropyLoss, functional.cross_entropy)
    is_unbatched = outputs.dim() == 1 and targets.dim() == 0
    class_axis = 0 if is_unbatched else 1
    if outputs.dim() <= class_axis or outputs.shape[class_axis] == 1:
        raise ValueError(
            f"{name} needs one output for each class, shape (B, C), but the outputs have shape "
            f"{tuple(outputs.shape)}. Give the model two outputs for two classes, or use "
            "nn.BCEWithLogitsLoss(), in the Evaluator too, with float targets of the outputs' "
            "shape."
        )
    if takes_probabilities and targets.is_floating_point() and targets.shape == outputs.shape:
        return
    wanted = (*outputs.shape[:class_axis], *outputs.shape[class_axis + 1 :])
    found = (
        f"For outputs of shape {tuple(outputs.shape)}, {name} takes class numbers, int64 of shape "
        f"{wanted}, but the targets are {_describe(targets)}."
    )
    if targets.shape == outputs.shape:
        conversion = "targets.float().argmax(dim=1)"
        raise ValueError(f"{found} If they are one-hot: {_how_to_convert(loss_fn, conversion)}")
    conversion = "targets"
    if targets.shape != wanted:
        if (targets.numel(),) != wanted:
            raise ValueError(f"{found} Give one target for each image.")
        conversion += ".flatten()"
    takes_uint8 = not _is_one_of(loss_fn, nn.MultiMarginLoss, functional.multi_margin_loss)
    if targets.dtype != torch.int64 and not (takes_uint8 and targets.dtype == torch.uint8):
        conversion += ".long()"
    if conversion != "targets":
        raise ValueError(f"{found} {_how_to_convert(loss_fn, conversion)}")
    _check_range(outputs, targets, class_axis, find_option(loss_fn, "ignore_index", -100))
    if _is_one_of(loss_fn, nn.NLLLoss, functional.nll_loss):
        _check_log_probabilities(name, outputs.detach().float().logsumexp(dim=class_axis))


def _check_range(outputs: Tensor, targets: Tensor, class_axis: int, ignore_index: int) -> None:
    num_classes = outputs.shape[class_axis]
    targets = targets.long()  # a uint8 cannot be compared with -100
    wrong = targets[((targets < 0) | (targets >= num_classes)) & (targets != ignore_index)]
    if len(wrong):
        raise ValueError(
            f"A target is {wrong[0].item()}, but the model's outputs of shape "
            f"{tuple(outputs.shape)} belong to the classes 0 to {num_classes - 1}. Number the "
            "classes from 0, and give the model one output for each class."
        )


def _check_log_probabilities(name: str, log_sums: Tensor) -> None:
    if (log_sums.abs() > _LARGEST_LOG_SUM).any():
        raise ValueError(
            f"{name} takes log-probabilities, but the exponentials of the model's outputs sum to "
            f"{log_sums.flatten()[0].exp().item():.3g} instead of 1. End the model with "
            "nn.LogSoftmax(dim=1), or use nn.CrossEntropyLoss(), which takes raw scores."
        )


def _check_same_shape(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> None:
    if outputs.shape == targets.shape:
        return
    found = (
        f"{_name(loss_fn)} needs one target for each output, but the outputs have shape "
        f"{tuple(outputs.shape)} and the targets have shape {tuple(targets.shape)}."
    )
    if outputs.numel() == targets.numel():
        conversion = "targets.reshape(outputs.shape)"
        if targets.dtype != outputs.dtype:
            conversion += ".to(outputs.dtype)"
        raise ValueError(f"{found} {_how_to_convert(loss_fn, conversion)}")
    if outputs.dim() == 2 and targets.dim() == 1:
        classes = "targets" if targets.dtype == torch.int64 else "targets.long()"
        conversion = f"nn.functional.one_hot({classes}, {outputs.shape[1]}).to(outputs.dtype)"
        raise ValueError(
            f"{found} For class numbers use nn.CrossEntropyLoss(). "
            f"{_how_to_convert(loss_fn, conversion)}"
        )
    raise ValueError(found)


def _check_binary(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> None:
    name = _name(loss_fn)
    with_logits = not _is_one_of(loss_fn, nn.BCELoss, functional.binary_cross_entropy)
    if targets.numel() == outputs.numel() and _leaves_unit_range(targets):
        raise ValueError(
            f"{name} takes targets from 0 to 1, but one is {_furthest_outside(targets):g}. For "
            "more than two classes use nn.CrossEntropyLoss() and one output for each class."
        )
    _check_same_shape(loss_fn, outputs, targets)
    if not targets.is_floating_point() or (targets.dtype != outputs.dtype and not with_logits):
        raise ValueError(
            f"{name} takes targets of type {_type_of(outputs)}, but they are {_describe(targets)}. "
            f"{_how_to_convert(loss_fn, 'targets.to(outputs.dtype)')}"
        )
    if not with_logits and _leaves_unit_range(outputs):
        raise ValueError(
            f"{name} takes probabilities from 0 to 1, but an output is "
            f"{_furthest_outside(outputs):g}. End the model with nn.Sigmoid(), or use "
            "nn.BCEWithLogitsLoss(), which takes raw scores."
        )


def _how_to_convert(loss_fn: LossFunction, targets: str) -> str:
    kind = _find_kind(loss_fn)
    function = next(function for of_module, function, _ in _LOSSES if kind in (of_module, function))
    return (
        "Convert them in the data, or in a loss function of your own, with the same options: "
        f"loss_fn = lambda outputs, targets: nn.functional.{_name(function)}(outputs, {targets})."
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


def _name(loss_fn: LossFunction) -> str:
    kind = _find_kind(loss_fn)
    return getattr(kind, "__name__", type(kind).__name__)


def _is_one_of(loss_fn: LossFunction, *kinds: object) -> bool:
    return any(_find_kind(loss_fn) is kind for kind in kinds)


def _find_kind(loss_fn: object) -> object:
    """Return the class of a module, or the function without the options of a `partial`."""
    if isinstance(loss_fn, partial):
        return _find_kind(loss_fn.func)
    return type(loss_fn) if isinstance(loss_fn, nn.Module) else loss_fn


_Check: TypeAlias = Callable[[LossFunction, Any, Any], None]
# A class of `torch.nn`, the function of `torch.nn.functional` that computes it, and its check.
_LOSSES: tuple[tuple[type[nn.Module], Callable[..., Tensor], _Check], ...] = (
    (nn.CrossEntropyLoss, functional.cross_entropy, _check_class_indices),
    (nn.NLLLoss, functional.nll_loss, _check_class_indices),
    (nn.MultiMarginLoss, functional.multi_margin_loss, _check_class_indices),
    (nn.MSELoss, functional.mse_loss, _check_same_shape),
    (nn.L1Loss, functional.l1_loss, _check_same_shape),
    (nn.SmoothL1Loss, functional.smooth_l1_loss, _check_same_shape),
    (nn.HuberLoss, functional.huber_loss, _check_same_shape),
    (nn.KLDivLoss, functional.kl_div, _check_same_shape),
    (nn.BCELoss, functional.binary_cross_entropy, _check_binary),
    (nn.BCEWithLogitsLoss, functional.binary_cross_entropy_with_logits, _check_binary),
)
_CHECKS: dict[object, _Check] = {kind: check for *kinds, check in _LOSSES for kind in kinds}


def _find_check(loss_fn: object) -> _Check | None:
    """Return the check of exactly this class or function: a subclass may compute anything."""
    kind = _find_kind(loss_fn)
    return _CHECKS.get(kind) if isinstance(kind, (type, FunctionType)) else None
