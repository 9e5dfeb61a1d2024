"""The record of one training step: its batch, outputs, loss, gradients and changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

States: TypeAlias = Mapping[str, Mapping[str, Any]]


class OptimizerState(NamedTuple):
    """The optimizer's state before and after a step.

    Attributes:
        before: a copy of `optimizer.state` for each parameter name; without entries before the
            parameter's first update.
        after: the same after the step.
    """

    before: States
    after: States


class LayerRecord(NamedTuple):
    """What a linear layer got and gave in the forward pass.

    Attributes:
        inputs: (B, ..., F).
        outputs: (B, ..., U), before an activation function.
    """

    inputs: Tensor
    outputs: Tensor


@dataclass(frozen=True)
class StepRecord:
    """One training step. All tensors are copies.

    What could not be observed is None or missing, and `notes` says so.

    Attributes:
        inputs: of the batch, usually images (B, ...).
        targets: of the batch, usually labels (B,).
        outputs: of the model in this step, in training mode, usually scores (B, C).
        loss: of the batch; the first one that `loss_fn` returned in this step.
        losses: of each image (B,); their mean or their sum is the loss.
        gradients: by parameter name, as the update used them; without an update, as the step left
            them.
        before: the parameters by name, before the step.
        after: the parameters by name, after the step.
        optimizer: the name of its class, such as `Adam`.
        options: for each parameter name that the optimizer holds, the options of its group as the
            update used them: `lr`, `momentum`, `betas`, `eps`, `weight_decay` and so on.
        optimizer_state: before and after the step.
        events: `zero_grad`, `forward`, `loss`, `backward` and `update`, each as often as it
            happened, in their order.
        lines: for each event, the number of the line of `train_step` that made it happen first,
            counted as in its file.
        layers: the linear layers by name, with what they got and gave in the last forward pass with
            gradients before the loss.
        has_old_gradients: whether the backward pass added to gradients of an earlier step.
        is_in_training_mode: whether the model was in training mode in the first forward pass with
            gradients; None without such a pass.
        returned: what `train_step` returned.
        code: of `train_step`; None if it is not known. A saved record does not have it.
        is_full: see `in_full` of `record_next`.
        notes: a sentence for each thing that could not be observed.
    """

    inputs: Tensor | None
    targets: Tensor | None
    outputs: Tensor | None
    loss: float | None
    losses: Tensor | None
    gradients: Mapping[str, Tensor]
    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]
    optimizer: str
    options: Mapping[str, Mapping[str, Any]]
    optimizer_state: OptimizerState
    events: tuple[str, ...]
    lines: Mapping[str, int]
    layers: Mapping[str, LayerRecord]
    has_old_gradients: bool
    is_in_training_mode: bool | None
    returned: object
    code: CodeType | None
    is_full: bool
    notes: tuple[str, ...]

    def has_changed(self, name: str | None = None) -> bool:
        """Return whether the step changed a parameter, or any of those that `before` has.

        A parameter that is missing before or after the step counts as changed.
        """
        if name is None:
            return any(map(self.has_changed, self.before))
        before, after = self.before.get(name), self.after.get(name)
        return before is None or after is None or not before.equal(after)

    def __getstate__(self) -> dict[str, Any]:
        """Return what can be saved."""
        return {**vars(self), "code": None}
