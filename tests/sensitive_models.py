"""Models that a careless prediction would change, and a description of all their state."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy


class CachesAHelper(nn.Module):
    """Makes tensors on its first call, and counts its calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(28 * 28, 10)
        self.scale: Tensor | None = None
        self.cache: dict[str, Tensor] = {}
        self.is_ready = False
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images):
        self.calls += 1
        if not self.is_ready:
            self.scale = torch.linspace(0.5, 1, 28 * 28)
            self.cache["shift"] = torch.ones(10)
            self.is_ready = True
        return self.linear(images.flatten(1) * self.scale) + self.cache["shift"]


def make_legacy_spectral_norm() -> nn.Module:
    """Return a model whose hook sets an attribute anew on each call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.Sequential(nn.Flatten(), nn.utils.spectral_norm(nn.Linear(28 * 28, 10)))


def make_partly_frozen() -> nn.Module:
    """Return a model whose batch norm stays in evaluation mode."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
    model[2].eval()
    return model


MODELS: dict[str, Callable[[], nn.Module]] = {
    "lazy layers": lambda: nn.Sequential(
        *(nn.LazyConv2d(2, 5, stride=3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten()),
        nn.LazyLinear(10),
    ),
    "a cached helper": CachesAHelper,
    "dropout": lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(28 * 28, 10)),
    "batch norm": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(28 * 28, 8), nn.BatchNorm1d(8), nn.Linear(8, 10)
    ),
    "partly frozen": make_partly_frozen,
    "spectral norm": lambda: nn.Sequential(
        nn.Flatten(), nn.utils.parametrizations.spectral_norm(nn.Linear(28 * 28, 10))
    ),
    "spectral norm of old": make_legacy_spectral_norm,
    "compiled": lambda: torch.compile(
        nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(28 * 28, 10)), backend="eager"
    ),
}


def describe(model: nn.Module) -> dict[str, Any]:
    """Return all of a model's state and the random state, as values that `==` compares."""
    state: dict[str, Any] = {
        "torch": torch.get_rng_state().tolist(),
        "numpy": str(np.random.get_state()),  # noqa: NPY002 - the state that others share
        "random": random.getstate(),
        "default dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
    }
    for path, module in model.named_modules():
        state[f"{path}: class"] = type(module)
        for name, value in vars(module).items():
            state[f"{path}: {name}"] = _freeze(value)
        for name, tensor in [
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        ]:
            state[f"{path}: {name}"] = _freeze(tensor)
            state[f"{path}: {name}.grad"] = None if is_lazy(tensor) else _freeze(tensor.grad)
    return state


def _freeze(value: object) -> object:
    if isinstance(value, Tensor):
        values = "no shape yet" if is_lazy(value) else value.detach().tolist()
        return id(value), type(value), values
    if isinstance(value, dict):
        return {key: _freeze(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_freeze(each) for each in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else id(value)
