"""What a network computes, layer by layer, with shapes and numbers of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Layer:
    """A layer of a network; an activation and dropout are part of the layer before.

    Attributes:
        words: what it computes, in PyTorch's names, such as `Linear, ReLU`.
        shape: of its output for one image.
        parameters: the shape of each of its parameters.
    """

    words: str
    shape: tuple[int, ...]
    parameters: tuple[tuple[int, ...], ...] = ()

    @property
    def num_parameters(self) -> int:
        """The number of parameters."""
        return sum(map(math.prod, self.parameters))


def list_layers(model: nn.Module) -> list[Layer]:
    """Return the layers that an image of 28 by 28 pixels goes through, the image itself first.

    Args:
        model: a network of `training.models`, in evaluation mode.
    """
    image = torch.zeros(1, 1, 28, 28)
    layers = [Layer("Image", tuple(image.shape[1:]))]
    with _Recorder(layers), torch.no_grad():
        model(image)
    return layers


class _Recorder(TorchFunctionMode):
    """Notes the functions of torch that a network calls in this thread.

    It needs no modules, as `SimpleNet` calls its ReLU as a function. Tracing with `torch.fx` would
    change the calls of modules in all threads, and one of them may be training.
    """

    def __init__(self, layers: list[Layer]) -> None:
        super().__init__()
        self.layers = layers

    def __torch_function__(
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        if (name := getattr(func, "__name__", "")) in _NAMES:
            words = _NAMES[name]
            parameters = tuple(tuple(each.shape) for each in args if isinstance(each, nn.Parameter))
            if name == "conv2d":
                words += " " + " x ".join(map(str, parameters[0][2:]))
            elif name == "dropout":
                words += f" {(kwargs or {})['p']:g}"
            self._append(Layer(words, tuple(result.shape[1:]), parameters))
        return result

    def _append(self, layer: Layer) -> None:
        """Append a layer, or join it to the one before if it changes only the values."""
        before = self.layers[-1]
        if layer.parameters or layer.shape != before.shape:
            self.layers.append(layer)
        else:
            self.layers[-1] = replace(before, words=f"{before.words}, {layer.words}")


_NAMES = {
    "conv2d": "Conv2d",
    "dropout": "Dropout",
    "flatten": "Flatten",
    "linear": "Linear",
    "relu": "ReLU",
}
