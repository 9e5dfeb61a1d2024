"""The image, the unit and the weight of a step that a student looks at."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mnist_widgets.training.recording.scores import find_scores
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.units import list_layers, name_weight


@dataclass(frozen=True)
class StepChoice:
    """What the student looks at. All indexes count from 0.

    Attributes:
        image: in the batch.
        layer: a linear layer, by name; "" if there is none.
        unit: of that layer, a row of its weight.
        weight: of that unit, a column of the layer's weight.
    """

    image: int = 0
    layer: str = ""
    unit: int = 0
    weight: int = 0


def first_choice(record: StepRecord) -> StepChoice:
    """Return an interesting choice.

    It is the image with the largest loss, the first linear layer, the unit that is most active on
    that image, and the weight of it with the largest gradient.
    """
    scores, layers = find_scores(record), list_layers(record)
    losses = record.losses if scores is None else scores.losses
    image = 0 if losses is None else int(losses.argmax())  # a loss that is NaN comes first
    if not layers:
        return clamp(StepChoice(image), record)
    layer = layers[0]
    unit = int(record.layers[layer].outputs[image].argmax())
    sizes = record.gradients.get(name_weight(layer), record.before[name_weight(layer)])[unit].abs()
    return clamp(StepChoice(image, layer, unit, int(sizes.argmax())), record)


def clamp(choice: StepChoice, record: StepRecord) -> StepChoice:
    """Return the nearest choice that exists in a record."""
    layers = list_layers(record)
    num_images = 0 if record.inputs is None else len(record.inputs)
    image = _limit(choice.image, num_images)
    if not layers:
        return StepChoice(image)
    layer = choice.layer if choice.layer in layers else layers[0]
    num_units, num_weights = record.before[name_weight(layer)].shape
    return StepChoice(
        image, layer, _limit(choice.unit, num_units), _limit(choice.weight, num_weights)
    )


def _limit(index: int, length: int) -> int:
    return max(0, min(index, length - 1))


def find_largest(values: torch.Tensor, count: int, also: int) -> list[int]:
    """Return the positions of the largest absolute values (N,), and one position besides."""
    largest: list[int] = values.abs().topk(min(count, len(values))).indices.tolist()
    return largest if also in largest else [*largest, also]
