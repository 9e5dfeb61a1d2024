"""A network as a row of boxes in HTML, and in a sentence."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cache

import torch
from torch import nn

from mnist_widgets.rendering.networks.layers import Layer, list_layers
from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.runs.choices import NETWORKS
from mnist_widgets.runs.run_config import RunConfig


def draw_network(config: RunConfig, num_classes: int = 10) -> StaticView:
    """Return the network of some settings: in a sentence, and as HTML with a box for each layer.

    Args:
        config: the settings.
        num_classes: the number of scores.
    """
    return _draw(config.network, config.hidden_units, config.dropout, num_classes)


def caption_network(config: RunConfig, num_classes: int = 10) -> str:
    """Return the network's name and its number of parameters."""
    return draw_network(config, num_classes).text.partition(".")[0] + "."


@cache
def _draw(network: str, hidden_units: int, dropout: float, num_classes: int) -> StaticView:
    with torch.device("meta"):  # only for its layers: no random numbers are drawn
        model = NETWORKS[network].build(num_classes, hidden_units, dropout)
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            # zeros, because the first computation on "meta" takes seconds
            setattr(module, name, nn.Parameter(torch.zeros(parameter.shape)))
    layers = list_layers(model.eval())
    label = NETWORKS[network].label
    total = sum(layer.num_parameters for layer in layers)
    caption = f"{label[0].upper()}{label[1:]}: {total:,} parameters."
    steps = "; ".join(_describe(layer, is_last=layer is layers[-1]) for layer in layers)
    boxes = "".join(_draw_box(layer, is_last=layer is layers[-1]) for layer in layers)
    return StaticView(
        f"{caption} {steps}.",
        f'<div class="mw-network" role="group" aria-label="Picture of the network">'
        f"<p>{caption}</p><ol>{boxes}</ol></div>",
    )


def _describe(layer: Layer, *, is_last: bool) -> str:
    words = f"{layer.words}: {_write_shape(layer.shape, is_last=is_last)}"
    return f"{words}, {layer.num_parameters:,} parameters" if layer.parameters else words


def _draw_box(layer: Layer, *, is_last: bool) -> str:
    lines = [f"<b>{html.escape(layer.words)}</b>", _write_shape(layer.shape, is_last=is_last)]
    if layer.parameters:
        sizes = " + ".join(" x ".join(map(str, shape)) for shape in layer.parameters)
        lines.append(f"{layer.num_parameters:,} parameters")
        lines.append(f"<small>{sizes}</small>")
    return f"<li>{'<br>'.join(lines)}</li>"


def _write_shape(shape: Sequence[int], *, is_last: bool) -> str:
    noun = "scores" if is_last else "pixels" if shape[0] == 1 and len(shape) == 3 else "values"
    return f"{' x '.join(f'{size:,}' for size in shape)} {noun}"
