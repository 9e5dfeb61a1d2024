"""Convert a model's outputs to probabilities, and a batch's targets to one class for each image.

The evaluation and the checks before the first batch both use this module, so they interpret outputs
and targets in the same way. Ambiguous ones raise an error that names their shapes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.data.tensors import check_label_range
from mnist_widgets.system.user_warnings import warn_user
from mnist_widgets.training.evaluation.classification import OTHER_TASKS, are_class_rows
from mnist_widgets.training.evaluation.loss_kinds import find_ignored, find_loss_kind
from mnist_widgets.training.models import unwrap


def check_outputs(outputs: object, num_images: int) -> Tensor:
    """Return a model's outputs for a batch if they determine a class for each image.

    Args:
        outputs: The return value of the model.
        num_images: Number of images in the batch.

    Raises:
        ValueError: The outputs are not a floating-point tensor of shape (B, C), (B, 1) or (B,).
    """
    wanted = f"for {num_images} images they must be a tensor of floats of shape ({num_images}, C)"
    if not isinstance(outputs, Tensor):
        raise ValueError(  # noqa: TRY004 - one type of error for all wrong outputs
            f"The model's outputs are a {type(outputs).__name__}; {wanted}. Let the model's "
            "forward return this tensor alone, at least in evaluation mode. Or pass the Trainer an "
            "evaluator of your own, with evaluate(model, device)."
        )
    shape = tuple(outputs.shape)
    fits = len(shape) in (1, 2) and shape[0] == num_images and 0 not in shape[1:]
    if not (fits and outputs.is_floating_point()):
        raise ValueError(
            f"The model's outputs are a {outputs.dtype} tensor of shape {shape}; {wanted}, or "
            f"({num_images},) for two classes. {OTHER_TASKS}"
        )
    return outputs


def to_probabilities(
    outputs: Tensor, loss_fn: object = None, model: nn.Module | None = None
) -> Tensor:
    """Convert a model's outputs to probabilities of the classes.

    Outputs (B, C) are scores, log-probabilities or probabilities. Single outputs (B, 1) or (B,) are
    the score or the probability of class 1. The loss function decides which; if it does not, they
    are probabilities after a sigmoid at the end of an `nn.Sequential`, and otherwise scores.

    Args:
        outputs: The result of `check_outputs`.
        loss_fn: The loss function of the training, if known.
        model: The model that computed the outputs, if known.

    Returns:
        float32 (B, C), or (B, 2) for single outputs; each row sums to 1.
    """
    tolerance = max(1e-5, 4 * torch.finfo(outputs.dtype).eps)
    values = outputs.detach().float()
    if values.dim() == 1 or values.shape[1] == 1:
        values = values.flatten()
        are_estimates = find_loss_kind(loss_fn).outputs == "estimates"
        are_shares = are_estimates or _gives_probabilities(loss_fn, model)
        positive = values.clamp(0, 1) if are_shares else values.sigmoid()
        return torch.stack([1 - positive, positive], dim=1)
    known = values[~values.isnan().any(dim=1)]
    if _lie_in_0_to_1(known) and ((known.sum(dim=1) - 1).abs() <= tolerance).all():
        return values
    if _gives_probabilities(loss_fn, model):
        values = values.logit(eps=1e-7)  # each was a probability against all other classes
    return values.softmax(dim=1)


def check_single_outputs(outputs: Tensor, loss_fn: object, model: nn.Module) -> None:
    """Check that it is known whether single outputs are scores or probabilities.

    If all lie in [0, 1], and neither loss function nor model says which they are, warn: a few
    scores may lie there by chance.

    Args:
        outputs: Those of all images.
        loss_fn: The loss function of the training.
        model: The model that computed the outputs.

    Raises:
        ValueError: They also lie on both sides of 0.5, so they look like probabilities.
    """
    is_single = outputs.numel() == len(outputs) > 1
    is_known = find_loss_kind(loss_fn).outputs != "other" or _gives_probabilities(loss_fn, model)
    if not is_single or is_known or not _lie_in_0_to_1(outputs):
        return
    sentence = (
        "The model returns one number for each image, all of them in [0, 1], and the loss "
        "function does not say whether they are scores or probabilities. Pass nn.BCELoss() for "
        "probabilities or nn.BCEWithLogitsLoss() for scores to the Evaluator, and to the "
        "Trainer if they are the loss that you train with."
    )
    if outputs.min() < 0.5 < outputs.max():
        raise ValueError(sentence)
    warn_user(sentence)


def to_labels(targets: Tensor, num_classes: int, loss_fn: object = None) -> tuple[Tensor, Tensor]:
    """Convert targets to one label for each image.

    Args:
        targets: Class numbers (B,) or (B, 1); or a number for each class (B, C), such as one-hot
            targets, the largest of which determines the class.
        num_classes: C, at least 2.
        loss_fn: `find_ignored` says which label it ignores, if any.

    Returns:
        The labels, int64 (B,), and whether each counts, bool (B,).

    Raises:
        ValueError: The targets have a different shape, or are not classes.
    """
    try:
        return _read_labels(targets, num_classes, loss_fn)
    except ValueError as error:
        raise ValueError(f"{error} {OTHER_TASKS}") from error


def _read_labels(targets: Tensor, num_classes: int, loss_fn: object) -> tuple[Tensor, Tensor]:
    shape = tuple(targets.shape)
    if len(shape) == 2 and shape[1] == num_classes:
        largest = targets == targets.amax(dim=1, keepdim=True)
        if not (largest.sum(dim=1) == 1).all():
            raise ValueError(
                f"Targets of shape {shape} must have one largest number in each row, which is the "
                "class of the image; some rows have several, or NaN."
            )
        if find_loss_kind(loss_fn).compares_each and not are_class_rows(targets):
            raise ValueError(
                f"Targets of shape {shape} must be one-hot, or shares that sum to 1 in each row; "
                f"these are not, such as {targets[0].tolist()[:3]}."
            )
        return largest.int().argmax(dim=1), targets.new_ones(len(targets), dtype=torch.bool)
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        raise ValueError(
            f"The targets have the shape {shape}; for {num_classes} classes they must be labels "
            f"of shape (B,) or (B, 1), or one-hot vectors of shape (B, {num_classes})."
        )
    flat = targets.flatten()
    labels = flat.long()
    if flat.dtype.is_floating_point and not (labels == flat).all():
        raise ValueError(
            f"The targets, {targets.dtype} of shape {shape}, are not whole numbers; they must be "
            f"labels from 0 to {num_classes - 1}."
        )
    ignored = find_ignored(loss_fn)
    counts = torch.ones_like(labels, dtype=torch.bool) if ignored is None else labels.ne(ignored)
    check_label_range(labels.where(counts, 0), num_classes, f"targets of shape {shape}")
    return labels, counts


def to_loss_targets(loss_fn: object, outputs: Tensor, targets: Tensor) -> Tensor:
    """Convert labels to the targets of a loss of `torch.nn` that compares them with each output.

    Args:
        loss_fn: Binary cross-entropy, a squared or an absolute error. For any other loss the
            targets are returned unchanged.
        outputs: The result of `check_outputs`.
        targets: Labels (B,) or (B, 1) are converted to the type and shape of single outputs, or to
            one-hot vectors if there is an output for each class. Targets of the outputs' shape get
            their type. Others are returned unchanged.

    Raises:
        ValueError: A label is none of the classes.
    """
    if not find_loss_kind(loss_fn).compares_each:
        return targets
    if targets.shape == outputs.shape:
        return targets.to(outputs.dtype)
    if targets.numel() != len(outputs):
        return targets
    if outputs.numel() == len(outputs):
        return targets.reshape(outputs.shape).to(outputs.dtype)
    labels, _ = to_labels(targets, outputs.shape[1])
    check_label_range(labels, outputs.shape[1])  # none is ignored
    return functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)


def to_number(loss: Tensor | float) -> float:
    """Return a loss as a number.

    Raises:
        ValueError: It is a tensor of several numbers.
    """
    if isinstance(loss, Tensor) and loss.numel() != 1:
        raise ValueError(
            f"The loss function returns a tensor of shape {tuple(loss.shape)}; it must return a "
            'single number, as with reduction="mean".'
        )
    return float(loss)


def _gives_probabilities(loss_fn: object, model: nn.Module | None) -> bool:
    """Return whether outputs are probabilities, by the loss function or else the last layer."""
    outputs = find_loss_kind(loss_fn).outputs
    may_be_shares = outputs not in ("scores", "log-probabilities")
    return outputs == "probabilities" or (
        may_be_shares and isinstance(find_last_layer(model), nn.Sigmoid)
    )


def find_last_layer(model: nn.Module | None) -> nn.Module | None:
    """Return the last layer of an `nn.Sequential`; in other models it is unknown."""
    layer = None if model is None else unwrap(model)
    while isinstance(layer, nn.Sequential) and type(layer).forward is nn.Sequential.forward:
        layers = [each for each in layer if not isinstance(each, nn.Flatten)]
        layer = unwrap(layers[-1]) if layers else None
    return layer


def _lie_in_0_to_1(values: Tensor) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())
