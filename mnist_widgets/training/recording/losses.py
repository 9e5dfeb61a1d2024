"""Compare the loss of a recorded step's batch, and of another batch, before and after the step."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.func import functional_call

from mnist_widgets.training.devices import device_of
from mnist_widgets.training.epoch_batches import find_inputs
from mnist_widgets.training.evaluation.module_state import predicting
from mnist_widgets.training.recording.image_losses import is_torch_loss
from mnist_widgets.training.recording.scores import compute_losses, find_scores
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.training_step import LossFunction


class LossComparison(NamedTuple):
    """Losses with the parameters before and after a step, in evaluation mode.

    None where it cannot be computed.

    Attributes:
        same_before: of the step's own batch.
        same_after: the same after the step.
        other_before: of another batch.
        other_after: the same after the step.
    """

    same_before: float | None
    same_after: float | None
    other_before: float | None
    other_after: float | None


def compare_losses(
    model: nn.Module,
    loss_fn: LossFunction,
    record: StepRecord,
    other_batch: Any = None,  # noqa: ANN401 - whatever the training step takes
) -> LossComparison:
    """Compute the losses of two batches before and after a step, and leave the model unchanged.

    The model is in evaluation mode, so with dropout or batch norm the losses differ from that of
    the step. Buffers have the values that they have now.

    Args:
        model: the network that was trained; it may have been trained further since.
        loss_fn: takes the network's outputs and the targets. It is not changed: a module is copied,
            and a function that is not of torch is not called; its losses are known only if the
            record shows that it is a common one.
        record: of the step.
        other_batch: inputs (B, ...) and targets (B, ...); None if there is no other batch.
    """
    compute = _choose_loss(loss_fn, record)
    has_all = record.before.keys() >= record.after.keys()  # not where a layer was lazy
    before = record.before if has_all else {}
    batches = (record.inputs, record.targets), _to_pair(other_batch)
    with predicting(model):
        losses = [
            _compute_loss(model, compute, parameters, *batch)
            for batch in batches
            for parameters in (before, record.after)
        ]
    return LossComparison(*losses)


def _choose_loss(loss_fn: LossFunction, record: StepRecord) -> LossFunction | None:
    """Return a function for the loss that leaves `loss_fn` unchanged; None if there is none."""
    if is_torch_loss(loss_fn):
        return loss_fn
    if isinstance(loss_fn, nn.Module):
        try:
            return deepcopy(loss_fn).forward  # without its hooks
        except Exception:
            return None
    scores = find_scores(record)  # a function may count its calls, but often is cross-entropy
    if scores is None:
        return None
    name, is_mean = scores.loss_name, scores.is_mean

    def compute(outputs: Tensor, labels: Tensor) -> Tensor:
        losses = compute_losses(name, outputs, labels.long())
        return losses.mean() if is_mean else losses.sum()

    return compute


def _to_pair(batch: Any) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN401 - any batch
    inputs = find_inputs(batch)
    targets = batch[1] if inputs is not None and len(batch) == 2 else None
    return inputs, targets if isinstance(targets, Tensor) else None


def _compute_loss(
    model: nn.Module,
    loss_fn: LossFunction | None,
    parameters: Mapping[str, Tensor],
    inputs: Tensor | None,
    targets: Tensor | None,
) -> float | None:
    if loss_fn is None or inputs is None or targets is None or not parameters:
        return None
    device = device_of(model)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        outputs = functional_call(model, {**parameters, **buffers}, (inputs.to(device),))
        return float(loss_fn(outputs, targets.to(device)))
    except Exception:
        return None  # train_step may prepare the batch in its own way
