"""What a model's outputs and a batch's targets mean: probabilities, and one class for each image.

Evaluation and the checks before the first batch read both through this module, so that a model is
judged and shown in one way. Whatever can be read in two ways is refused with its shapes.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_TAKES_PROBABILITIES = (nn.BCELoss, functional.binary_cross_entropy)
_TAKES_BINARY_SCORES = (nn.BCEWithLogitsLoss, functional.binary_cross_entropy_with_logits)
_TAKES_SCORES = (  # or log-probabilities, which a softmax turns into probabilities as well
    *_TAKES_BINARY_SCORES,
    *(nn.SoftMarginLoss, functional.soft_margin_loss),
    *(nn.CrossEntropyLoss, functional.cross_entropy, nn.NLLLoss, functional.nll_loss),
)
_TAKES_ESTIMATES = (  # pulls the outputs to the targets themselves
    *(nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss),
    *(functional.mse_loss, functional.l1_loss, functional.smooth_l1_loss, functional.huber_loss),
)


def check_outputs(outputs: object, num_images: int) -> Tensor:
    """Return a model's outputs for a batch, or say why no class can be read from them.

    Args:
        outputs: what the model returned.
        num_images: images in the batch.

    Raises:
        ValueError: The outputs are not a floating-point tensor of shape (B, C), (B, 1) or (B,).
    """
    wanted = f"for {num_images} images they must be a tensor of floats of shape ({num_images}, C)"
    if not isinstance(outputs, Tensor):
        raise ValueError(  # noqa: TRY004 - one kind of error for all that is wrong with outputs
            f"The model's outputs are a {type(outputs).__name__}; {wanted}."
        )
    shape = tuple(outputs.shape)
    fits = len(shape) in (1, 2) and shape[0] == num_images and 0 not in shape[1:]
    if not (fits and outputs.is_floating_point()):
        raise ValueError(
            f"The model's outputs are a {outputs.dtype} tensor of shape {shape}; {wanted}, or "
            f"({num_images},) for two classes."
        )
    return outputs


def to_probabilities(
    outputs: Tensor, loss_fn: object = None, model: nn.Module | None = None
) -> Tensor:
    """Return the probabilities of the classes that a model's outputs state.

    Outputs (B, C) are scores or log-probabilities, of which a softmax makes probabilities, or they
    are probabilities already. Single outputs (B, 1) or (B,) are the score of class 1, or its
    probability: the loss function tells, or a sigmoid at the end of an `nn.Sequential`. If neither
    does, they are scores.

    Args:
        outputs: as `check_outputs` returns them.
        loss_fn: what the model is trained with, if known.
        model: what gave the outputs, if known.

    Returns:
        float32 (B, C), or (B, 2) for single outputs; each row sums to 1.
    """
    tolerance = max(1e-5, 4 * torch.finfo(outputs.dtype).eps)
    values = outputs.detach().float()
    if values.dim() == 1 or values.shape[1] == 1:
        values = values.flatten()
        are_estimates = _is_one_of(loss_fn, _TAKES_ESTIMATES)
        are_shares = are_estimates or _states_probabilities(loss_fn, model)
        positive = values.clamp(0, 1) if are_shares else values.sigmoid()
        return torch.stack([1 - positive, positive], dim=1)
    known = values[~values.isnan().any(dim=1)]
    if _lie_in_0_to_1(known) and ((known.sum(dim=1) - 1).abs() <= tolerance).all():
        return values
    if _states_probabilities(loss_fn, model):
        values = values.logit(eps=1e-7)  # each class against the rest: now scores that compete
    return values.softmax(dim=1)


def warn_of_unclear_scores(outputs: Tensor, loss_fn: object, model: nn.Module) -> None:
    """Warn if single outputs are taken for scores and all of them lie in [0, 1].

    Args:
        outputs: of all images, since those of a few may lie there by chance.
        loss_fn: what the model is trained with.
        model: what gave the outputs.
    """
    is_single = outputs.numel() == len(outputs) > 1
    is_known = _is_one_of(loss_fn, (*_TAKES_SCORES, *_TAKES_ESTIMATES))
    if not is_single or is_known or _states_probabilities(loss_fn, model):
        return
    if _lie_in_0_to_1(outputs):
        warnings.warn(
            "The model gives one number for each image, all of them in [0, 1]. They are taken for "
            "scores, so that all images count as class 1. If they are probabilities, use "
            "nn.BCELoss() or end the model, an nn.Sequential, with nn.Sigmoid().",
            stacklevel=2,
        )


def to_labels(targets: Tensor, num_classes: int, loss_fn: object = None) -> tuple[Tensor, Tensor]:
    """Return the class of each image, and which images count.

    Args:
        targets: classes (B,) or (B, 1), whole numbers; or a number for each class (B, C), such as
            one-hot targets, whose largest is the class.
        num_classes: C, at least 2.
        loss_fn: images whose label is its `ignore_index` do not count.

    Returns:
        int64 (B,), the labels; bool (B,), whether each counts.

    Raises:
        ValueError: The targets have another shape, or do not name one of the classes.
    """
    shape = tuple(targets.shape)
    if len(shape) == 2 and shape[1] == num_classes:
        largest = targets == targets.amax(dim=1, keepdim=True)
        if not (largest.sum(dim=1) == 1).all():
            raise ValueError(
                f"Targets of shape {shape} must have one largest number in each row, which names "
                "the class of the image; some rows have several, or NaN."
            )
        return largest.int().argmax(dim=1), targets.new_ones(len(targets), dtype=torch.bool)
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        raise ValueError(
            f"The targets have the shape {shape}; for {num_classes} classes they must be labels "
            f"of shape (B,) or (B, 1), or one-hot of shape (B, {num_classes})."
        )
    flat = targets.flatten()
    labels = flat.long()
    if flat.dtype.is_floating_point and not (labels == flat).all():
        raise ValueError(
            f"The targets, {targets.dtype} of shape {shape}, are not whole numbers, so they name "
            f"no classes; they must be labels from 0 to {num_classes - 1}."
        )
    counts = labels.ne(find_option(loss_fn, "ignore_index", -100))
    outside = labels[counts & ((labels < 0) | (labels >= num_classes))]
    if len(outside):
        raise ValueError(
            f"A label is {outside[0].item()}, but the model gives numbers for {num_classes} "
            f"classes, 0 to {num_classes - 1}; the targets have the shape {shape}."
        )
    return labels, counts


def to_loss_targets(loss_fn: object, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return targets as a loss of `torch.nn` that compares number by number needs them.

    Args:
        loss_fn: binary cross-entropy, a squared or an absolute error; for any other loss the
            targets stay as they are.
        outputs: as `check_outputs` returns them.
        targets: of these, labels (B,) or (B, 1) get the type and shape of single outputs, or become
            one-hot if there is an output for each class.

    Raises:
        ValueError: The labels do not name one of the classes.
    """
    kinds = (*_TAKES_PROBABILITIES, *_TAKES_BINARY_SCORES, *_TAKES_ESTIMATES)
    num_images, is_single = len(outputs), outputs.numel() == len(outputs)
    if targets.numel() != num_images or not _is_one_of(loss_fn, kinds):
        return targets
    if is_single:
        return targets.reshape(outputs.shape).to(outputs.dtype)
    labels, counts = to_labels(targets, outputs.shape[1])
    if not counts.all():
        raise ValueError(
            f"A label is {int(labels.min())}, which names none of the {outputs.shape[1]} classes."
        )
    return functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)


def find_option(loss_fn: object, name: str, default: Any) -> Any:  # noqa: ANN401
    """Return an option that a loss function was made with, such as `reduction`."""
    if isinstance(loss_fn, partial):
        return loss_fn.keywords.get(name, find_option(loss_fn.func, name, default))
    return getattr(loss_fn, name, default)


def find_reduction(loss_fn: object) -> Any:  # noqa: ANN401
    """Return the `reduction` of a loss of `torch.nn`; `"mean"` for any other loss.

    A subclass may use the option in its own way, as a focal loss does.
    """
    kind = type(loss_fn) if isinstance(loss_fn, nn.Module) else getattr(loss_fn, "func", loss_fn)
    is_of_torch = str(getattr(kind, "__module__", "")).startswith("torch.nn.")
    return find_option(loss_fn, "reduction", "mean") if is_of_torch else "mean"


def _states_probabilities(loss_fn: object, model: nn.Module | None) -> bool:
    """Return whether the loss function, or else the last layer, says that outputs are shares."""
    if _is_one_of(loss_fn, _TAKES_PROBABILITIES):
        return True
    return not _is_one_of(loss_fn, _TAKES_SCORES) and isinstance(_find_last(model), nn.Sigmoid)


def _find_last(model: nn.Module | None) -> nn.Module | None:
    """Return the layer that gives the outputs, which only the structure of `Sequential` tells."""
    model = getattr(model, "_orig_mod", model)  # of a compiled model
    while isinstance(model, nn.Sequential) and type(model).forward is nn.Sequential.forward:
        layers = [layer for layer in model if not isinstance(layer, nn.Flatten)]
        model = layers[-1] if layers else None
    return model


def _lie_in_0_to_1(values: Tensor) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _is_one_of(loss_fn: object, kinds: tuple[object, ...]) -> bool:
    if isinstance(loss_fn, partial):
        return _is_one_of(loss_fn.func, kinds)
    return type(loss_fn) in kinds or any(loss_fn is kind for kind in kinds)
