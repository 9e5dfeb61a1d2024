"""Signs in the record of one training step."""

from __future__ import annotations

import torch
from torch import nn

from mnist_widgets.system.short_text import list_first, name_callable
from mnist_widgets.training.evaluation.loss_kinds import find_loss_kind
from mnist_widgets.training.evaluation.outputs import find_last_layer
from mnist_widgets.training.health.finding import StepSign
from mnist_widgets.training.health.observations import Observations, has_gradient
from mnist_widgets.training.preflight.parameters import count_trainable, find_missing
from mnist_widgets.training.recording.step_record import StepRecord

_FEWEST_WITHOUT_UPDATE, _MOST_WITHOUT_UPDATE = 40, 100
_LAYERS_WITH_MODES = (
    *("Dropout", "AlphaDropout", "FeatureAlphaDropout"),
    *("BatchNorm", "SyncBatchNorm", "InstanceNorm"),
)


def find_no_backward(record: StepRecord, _seen: Observations) -> str | None:
    """Find a step that computes no gradients."""
    if "forward" not in record.events or "backward" in record.events or record.has_changed():
        return None
    if any(has_gradient(record, name) for name in record.gradients):
        return None  # train_step computed a loss of its own
    return (
        f"{_tell(record)}. There was no backward pass, and none of the {len(record.before)} "
        "parameter tensors has a gradient."
    )


def find_no_update(record: StepRecord, seen: Observations) -> str | None:
    """Find a step that computes gradients and changes nothing."""
    if "backward" not in record.events or "update" in record.events or record.has_changed():
        return None
    return (
        f"{_tell(record)}, without optimizer.step(), and none of the {len(record.before)} "
        f"parameter tensors changed in {count_without_update(seen)} batches."
    )


def count_without_update(seen: Observations) -> int:
    """Return how many batches without an update are more than gradients that are summed."""
    num_batches = seen.report.num_batches if seen.report else 0
    return min(max(num_batches, _FEWEST_WITHOUT_UPDATE), _MOST_WITHOUT_UPDATE)


def find_update_before_backward(record: StepRecord, _seen: Observations) -> str | None:
    """Find a step that updates before it computes the gradients."""
    updates = [index for index, event in enumerate(record.events) if event == "update"]
    if not updates or "backward" not in record.events[updates[-1] :]:
        return None
    if "backward" in record.events[: updates[-1]]:
        return None
    position = record.events.index("backward") + 1
    return f"{_tell(record)}: the update is number {updates[-1] + 1}, backward number {position}."


def find_old_gradients(record: StepRecord, _seen: Observations) -> str | None:
    """Find a backward pass that adds to gradients of an earlier batch, which were used already."""
    events = record.events
    if not record.has_old_gradients or "update" not in events or "zero_grad" in events:
        return None
    sizes = [float(gradient.norm()) for gradient in record.gradients.values()]
    return (
        f"{_tell(record)}, without zero_grad(): the gradients of earlier batches were still there, "
        f"and their sum is now at least as large as {max(sizes, default=0.0):.3g}."
    )


def find_probabilities(record: StepRecord, seen: Observations) -> str | None:
    """Find outputs that are probabilities although the loss function takes scores."""
    outputs = record.outputs
    if find_loss_kind(seen.trainer.loss_fn).outputs != "scores" or outputs is None:
        return None
    if not outputs.is_floating_point() or outputs.dim() == 0 or not len(outputs):
        return None
    values = outputs.float()
    lowest, highest = (float(value) for value in values.aminmax())
    if not 0 <= lowest <= highest <= 1:
        return None
    name = name_callable(seen.trainer.loss_fn)
    ranges = f"All outputs are from {lowest:.3g} to {highest:.3g}"
    if values.dim() > 1 and values.shape[1] > 1:
        sums = values.sum(dim=1)
        if torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
            return f"{ranges}, and those of each image sum to 1, but {name} takes scores."
    if isinstance(find_last_layer(seen.trainer.model), nn.Sigmoid):
        return f"{ranges}, after a sigmoid, but {name} takes scores."
    return None


def find_missing_parameters(record: StepRecord, seen: Observations) -> str | None:
    """Find trainable parameters that the optimizer does not have, and that do not change."""
    trainer = seen.trainer
    missing = [
        name
        for name in find_missing(trainer.model, trainer.optimizer)
        if has_gradient(record, name) and not record.has_changed(name)
    ]
    if not missing or not record.has_changed():
        return None
    return (
        f"{len(missing)} of {count_trainable(trainer.model)} trainable parameter tensors "
        f"({list_first(missing)}) have a gradient, but the optimizer does not have them, and they "
        "do not change."
    )


def find_evaluation_mode(record: StepRecord, seen: Observations) -> str | None:
    """Find a training step in evaluation mode."""
    if record.is_in_training_mode is not False:
        return None
    kinds = [type(module).__name__ for module in seen.trainer.model.modules()]
    num_layers = sum(kind.startswith(_LAYERS_WITH_MODES) for kind in kinds)
    return (
        "model.training was False in the forward pass of a training step. The network has "
        f"{num_layers} layers that work differently then (dropout or batch norm)."
    )


def _tell(record: StepRecord) -> str:
    return f"The step was: {', '.join(record.events)}"


STEP_SIGNS = (
    StepSign(
        "no backward",
        find_no_backward,
        "Call loss.backward() after the loss is computed: without gradients the optimizer has "
        "nothing to use.",
    ),
    StepSign(
        "no update",
        find_no_update,
        "Call optimizer.step() after loss.backward(): only the optimizer changes the parameters.",
        count_without_update,
    ),
    StepSign(
        "update before backward",
        find_update_before_backward,
        "Call loss.backward() first and optimizer.step() after it, so that the update uses the "
        "gradients of its own batch.",
    ),
    StepSign(
        "gradients never cleared",
        find_old_gradients,
        "Call optimizer.zero_grad() once in each step: backward() adds to the gradients that are "
        "there.",
    ),
    StepSign(
        "probabilities into a loss for scores",
        find_probabilities,
        "Remove the softmax or sigmoid at the end of the model: this loss function contains it. "
        "Applied twice, it makes the gradients small and the training slow.",
    ),
    StepSign(
        "trainable parameters missing from the optimizer",
        find_missing_parameters,
        "Make the optimizer with model.parameters(). If these parameters are to stay as they are, "
        "call requires_grad_(False) on them.",
    ),
    StepSign(
        "evaluation mode left on",
        find_evaluation_mode,
        "Call model.train() before the forward pass of a training step, for example after each "
        "evaluation.",
    ),
)
