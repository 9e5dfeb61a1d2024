"""Hidden units that are zero on all images."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from torch import Tensor, nn

from mnist_widgets.training.health.evaluated_images import predicting
from mnist_widgets.training.health.finding import Sign
from mnist_widgets.training.health.observations import Observations
from mnist_widgets.training.models import SimpleNet

_DEAD_SHARE = 0.9
_FIRST_IMAGES, _IMAGES_IN_A_PASS = 20, 100


def find_dead_units(seen: Observations) -> str | None:
    """Find a hidden layer with ReLU that is zero on all test images, at least nine tenths of it."""
    images, kind = seen.test_images, "test images"
    if images is None and seen.record is not None:
        images, kind = seen.record.inputs, "images of a training batch"
    if images is None or not len(images):
        return None
    model = getattr(seen.trainer.model, "_orig_mod", seen.trainer.model)  # of a compiled model
    dead = find_dead_shares(model, images)
    name, share = max(dead.items(), key=lambda item: item[1], default=("", 0.0))
    if share < _DEAD_SHARE:
        return None
    return f"{100 * share:.3g} % of the units of {name} are 0 on all {len(images):,} {kind}."


def find_dead_shares(model: nn.Module, images: Tensor) -> dict[str, float]:
    """Return the share of units that are 0 on all images, for each layer with ReLU.

    The layers are those of `nn.ReLU`, and the hidden layer of `SimpleNet`; a unit of a convolution
    is a channel. Where the first images show that no layer has a large share, the others are not
    looked at. The model and torch's random generators are left unchanged.
    """
    fired: dict[str, Tensor] = {}
    with predicting(model) as device, ExitStack() as hooks:
        for name, module in model.named_modules():
            label, layer = name or "the model", module
            if type(module) is SimpleNet:
                label, layer = f"{name}.linear1".lstrip("."), module.linear1
            elif not isinstance(module, nn.ReLU):
                continue
            hooks.enter_context(layer.register_forward_hook(_keep_units(fired, label)))
        shares: dict[str, float] = {}
        first, others = images[:_FIRST_IMAGES], images[_FIRST_IMAGES:]
        for portion in (first, *(others.split(_IMAGES_IN_A_PASS) if len(others) else ())):
            model(portion.to(device))
            shares = {name: 1 - float(units.double().mean()) for name, units in fired.items()}
            if max(shares.values(), default=0.0) < _DEAD_SHARE:
                break
    return shares


def _keep_units(fired: dict[str, Tensor], name: str) -> Callable[..., None]:
    def keep(_module: nn.Module, _inputs: object, outputs: Tensor) -> None:
        is_active = ~(outputs <= 0)  # a NaN is not dead
        if outputs.dim() == 4:
            is_active = is_active.flatten(2).any(dim=2)
        units = is_active.any(dim=0)
        fired[name] = units | fired[name] if name in fired else units

    return keep


DEAD_UNITS = Sign(
    "dead units",
    find_dead_units,
    "Reset the weights and use a smaller learning rate: a unit that is 0 for all images has no "
    "gradient and cannot recover.",
)
