"""Compare the loss of a recorded step's batch, and of another batch, before and after the step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.func import functional_call
from torch.random import fork_rng

from mnist_widgets.training.devices import device_of
from mnist_widgets.training.epoch_batches import find_inputs
from mnist_widgets.training.evaluation.evaluator import evaluating
from mnist_widgets.training.preflight.loss_checks import LossFunction
from mnist_widgets.training.recording.step_record import StepRecord


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
        loss_fn: takes the network's outputs and the targets.
        record: of the step.
        other_batch: inputs (B, ...) and targets (B, ...); None if there is no other batch.
    """
    batches = (record.inputs, record.targets), _to_pair(other_batch)
    device = device_of(model)
    with evaluating(model), fork_rng([device] if device.type == "cuda" else []):
        losses = [
            _compute_loss(model, loss_fn, parameters, *batch)
            for batch in batches
            for parameters in (record.before, record.after)
        ]
    return LossComparison(*losses)


def _to_pair(batch: Any) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN401 - any batch
    inputs = find_inputs(batch)
    targets = batch[1] if inputs is not None and len(batch) == 2 else None
    return inputs, targets if isinstance(targets, Tensor) else None


def _compute_loss(
    model: nn.Module,
    loss_fn: LossFunction,
    parameters: Mapping[str, Tensor],
    inputs: Tensor | None,
    targets: Tensor | None,
) -> float | None:
    if inputs is None or targets is None or not parameters:
        return None
    device = device_of(model)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        outputs = functional_call(model, {**parameters, **buffers}, (inputs.to(device),))
        return float(loss_fn(outputs, targets.to(device)))
    except Exception:
        return None  # train_step may prepare the batch in its own way
