"""Hidden units that are zero on all images."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TypeAlias

from torch import Tensor, nn

from mnist_widgets.training.evaluation.module_state import predicting
from mnist_widgets.training.health.finding import Sign
from mnist_widgets.training.health.observations import Observations
from mnist_widgets.training.models import unwrap

_DEAD_SHARE = 0.9
_FIRST_IMAGES, _IMAGES_IN_A_PASS = 20, 100

_Layer: TypeAlias = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def find_dead_units(seen: Observations) -> str | None:
    """Find a hidden layer with ReLU that is zero on all test images, at least nine tenths of it."""
    images, kind = seen.test_images, "test images"
    # a training step may convert the images
    if images is None or (seen.received is not None and images.dtype != seen.received.dtype):
        images, kind = seen.received, "images of a training batch"
    if images is None or not len(images):
        return None
    dead = find_dead_shares(unwrap(seen.trainer.model), images)
    name, share = max(dead.items(), key=lambda item: item[1], default=("", 0.0))
    if share < _DEAD_SHARE:
        return None
    return f"{100 * share:.3g} % of the units {name} are 0 on all {len(images):,} {kind}."


def find_dead_shares(model: nn.Module, images: Tensor) -> dict[str, float]:
    """Return the share of units that are 0 on all images, for each layer with ReLU.

    The layers are the calls of each `nn.ReLU`, and the inputs of linear layers and convolutions
    that are never negative, but not of the first one; a unit of a convolution is a channel. Where
    the first images show that no layer has a large share, the others are not predicted. The model
    and torch's random generators are left unchanged.
    """
    shares: dict[str, float] = {}
    with predicting(model) as device, ExitStack() as hooks:
        units = _Units(model, hooks)
        first, others = images[:_FIRST_IMAGES], images[_FIRST_IMAGES:]
        for portion in (first, *(others.split(_IMAGES_IN_A_PASS) if len(others) else ())):
            units.begin_pass()
            model(portion.to(device))
            shares = units.find_dead_shares()
            if max(shares.values(), default=0.0) < _DEAD_SHARE:
                break
    return shares


class _Units:
    """Whether each unit was active on an image so far.

    Args:
        model: the network.
        hooks: close it to stop observing the network.
    """

    def __init__(self, model: nn.Module, hooks: ExitStack) -> None:
        self._active: dict[str, Tensor] = {}
        self._negative: set[str] = set()
        self._names = {module: name or "the model" for name, module in model.named_modules()}
        for module in self._names:
            if isinstance(module, nn.ReLU):
                hooks.enter_context(module.register_forward_hook(self._on_relu))
            elif isinstance(module, _Layer):
                hooks.enter_context(module.register_forward_pre_hook(self._on_layer))

    def begin_pass(self) -> None:
        """Begin a forward pass."""
        self._calls: Counter[str] = Counter()
        self._last_layer: nn.Module | None = None

    def find_dead_shares(self) -> dict[str, float]:
        """Return the share of units that were never active, for each layer."""
        return {name: 1 - float(units.double().mean()) for name, units in self._active.items()}

    def _on_relu(self, module: nn.Module, _inputs: object, outputs: Tensor) -> None:
        is_active = ~(outputs <= 0)  # a NaN is not dead
        if outputs.dim() == 4:
            is_active = is_active.flatten(2).any(dim=2)
        self._add(self._count(f"of {self._names[module]}"), is_active.any(dim=0))

    def _on_layer(self, module: _Layer, arguments: tuple[Tensor, ...]) -> None:
        """Add the inputs, which are the outputs of a function such as `F.relu`."""
        if not arguments:
            return
        last, self._last_layer, inputs = self._last_layer, module, arguments[0]
        if last is None:
            self._images = inputs != 0
            return
        if inputs.shape == self._images.shape and self._images.equal(inputs != 0):
            return  # a second layer for the images
        name = self._count(f"after {self._names[last]}")
        if name in self._negative or bool((inputs < 0).any()):
            self._negative.add(name)
            self._active.pop(name, None)
            return
        is_active = ~(inputs <= 0)
        axis = -1 if isinstance(module, nn.Linear) else -1 - len(module.kernel_size)
        self._add(name, is_active.movedim(axis, -1).flatten(0, -2).any(dim=0))

    def _count(self, name: str) -> str:
        """Return a name for each call in a forward pass."""
        self._calls[name] += 1
        return f"{name} (call {self._calls[name]})" if self._calls[name] > 1 else name

    def _add(self, name: str, units: Tensor) -> None:
        self._active[name] = units | self._active.get(name, units)


DEAD_UNITS = Sign(
    "dead units",
    find_dead_units,
    "Reset the weights and use a smaller learning rate: a unit that is 0 for all images has no "
    "gradient and cannot recover.",
)
