"""A model's weights in a file that is whole at any time."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the model's `state_dict`, under the parameter names that it has without wrappers.

    The file is written beside its place and then moved there, so that an interrupt or a full disk
    leaves the weights that were there before.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        torch.save(unwrap(model).state_dict(), beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside the wrappers of `torch.compile` and of parallel training."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model
