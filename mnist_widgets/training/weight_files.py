"""Save a model's weights in a file that is never incomplete."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the `state_dict` of the model without its wrappers.

    The weights are first written to a temporary file in the same folder, so that after an interrupt
    or with a full disk the earlier file remains.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        torch.save(unwrap(model).state_dict(), temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside the wrappers of `torch.compile` and of parallel training."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model
