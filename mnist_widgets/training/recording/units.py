"""The units of a recorded step's linear layers: their sums, activations and gradients."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_widgets.training.recording.scores import find_scores, to_exact
from mnist_widgets.training.recording.step_record import StepRecord


def name_weight(layer: str) -> str:
    """Return the name of a layer's weight among the parameters."""
    return f"{layer}.weight" if layer else "weight"


def name_bias(layer: str) -> str:
    """Return the name of a layer's bias among the parameters."""
    return f"{layer}.bias" if layer else "bias"


def list_layers(record: StepRecord) -> list[str]:
    """Return the names of the linear layers whose units can be shown, in their order.

    Each of their inputs belongs to one image, and their weight before the step is known.
    """
    if record.inputs is None:
        return []
    return [
        name
        for name, layer in record.layers.items()
        if name_weight(name) in record.before
        and layer.inputs.dim() == layer.outputs.dim() == 2
        and len(layer.inputs) == len(record.inputs) > 0
    ]


class WeightedSum(NamedTuple):
    """The sum that a unit computes for one image. All numbers are float64 on the CPU.

    Attributes:
        inputs: of the unit (F,).
        weights: (F,).
        bias: None without a bias.
        total: of all products and the bias, as recorded.
    """

    inputs: Tensor
    weights: Tensor
    bias: float | None
    total: float

    @property
    def products(self) -> Tensor:
        """Each input times its weight (F,)."""
        return self.inputs * self.weights


def compute_sum(record: StepRecord, layer: str, unit: int, image: int) -> WeightedSum | None:
    """Return the weighted sum of a unit; None if the layer computed something else."""
    inputs = to_exact(record.layers[layer].inputs[image])
    weights = to_exact(record.before[name_weight(layer)][unit])
    biases = record.before.get(name_bias(layer))
    bias = None if biases is None else float(biases[unit])
    outputs = record.layers[layer].outputs
    total, recorded = float(inputs @ weights) + (bias or 0.0), float(outputs[image, unit])
    size = float((inputs * weights).abs().sum()) + abs(bias or 0.0)
    is_same = abs(total - recorded) <= 8 * torch.finfo(outputs.dtype).eps * size + 1e-12
    is_infinite = not math.isfinite(total) and not math.isfinite(recorded)
    return WeightedSum(inputs, weights, bias, recorded) if is_same or is_infinite else None


class Activation(NamedTuple):
    """What the next linear layer gets of a layer's outputs.

    Attributes:
        name: `ReLU` or `ReLU and dropout`; "" if the next layer gets the outputs unchanged.
        values: the next layer's inputs, float64 (B, U).
        slopes: their derivative by the layer's outputs, float64 (B, U).
        next_layer: its name.
    """

    name: str
    values: Tensor
    slopes: Tensor
    next_layer: str


def find_activation(record: StepRecord, layer: str) -> Activation | None:
    """Return what lies between a linear layer and the next one; None if it is not known."""
    layers = list_layers(record)
    if layer not in layers or layer == layers[-1]:
        return None
    following = layers[layers.index(layer) + 1]
    sums, values = to_exact(record.layers[layer].outputs), to_exact(record.layers[following].inputs)
    if sums.shape != values.shape:
        return None
    positive = sums.relu()
    if torch.equal(values, positive):
        return Activation("ReLU", values, (sums > 0).double(), following)
    if torch.equal(values, sums):
        return Activation("", values, torch.ones_like(sums), following)
    slopes = torch.where(sums > 0, values / positive.clamp(min=1e-300), 0.0)
    kept = slopes[slopes != 0]
    is_one_factor = len(kept) > 0 and torch.allclose(kept, kept.max(), rtol=1e-5, atol=0)
    if is_one_factor and kept.max() >= 1 and not values[sums <= 0].any():
        return Activation("ReLU and dropout", values, slopes, following)
    return None


def compute_unit_gradients(record: StepRecord, layer: str) -> Tensor | None:
    """Return the gradient of each image's loss at a layer's outputs, before an activation function.

    Returns:
        float64 (B, U); None if it cannot be computed from the record.
    """
    scores, layers = find_scores(record), list_layers(record)
    if scores is None or layer not in layers:
        return None
    last = to_exact(record.layers[layers[-1]].outputs)
    if last.shape != scores.values.shape or not any(
        torch.allclose(scores.values, each, rtol=1e-4, atol=1e-5)
        for each in (last, last.log_softmax(dim=1))
    ):
        return None
    gradients = scores.gradients
    for name in reversed(layers[layers.index(layer) : -1]):
        activation = find_activation(record, name)
        if activation is None:
            return None
        weights = to_exact(record.before[name_weight(activation.next_layer)])
        gradients = gradients @ weights * activation.slopes
    return gradients


class GradientTerms(NamedTuple):
    """A weight's gradient as a sum over the images. All numbers are float64 on the CPU.

    Attributes:
        unit_gradients: the gradient of each image's loss at the unit (B,).
        inputs: the weight's input for each image (B,).
        is_mean: whether the gradient is the mean of the terms, not their sum.
        gradient: of the weight, as recorded.
    """

    unit_gradients: Tensor
    inputs: Tensor
    is_mean: bool
    gradient: float

    @property
    def terms(self) -> Tensor:
        """The gradient at the unit times the input (B,)."""
        return self.unit_gradients * self.inputs


def split_gradient(record: StepRecord, layer: str, unit: int, weight: int) -> GradientTerms | None:
    """Return the terms of a weight's gradient, one for each image.

    Returns:
        None if they cannot be computed from the record, or do not give the recorded gradient.
    """
    gradient = record.gradients.get(name_weight(layer))
    unit_gradients, scores = compute_unit_gradients(record, layer), find_scores(record)
    if gradient is None or unit_gradients is None or scores is None:
        return None
    inputs = to_exact(record.layers[layer].inputs[:, weight])
    split = unit_gradients[:, unit]
    terms = split * inputs
    total = float(terms.mean() if scores.is_mean else terms.sum())
    size = float(terms.abs().mean() if scores.is_mean else terms.abs().sum())
    recorded = float(gradient[unit, weight])
    if not abs(total - recorded) <= 1e-5 * size + 1e-12:
        return None
    return GradientTerms(split, inputs, scores.is_mean, recorded)
