"""Save a model's weights in a file that is never incomplete."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from mnist_widgets.system.whole_files import write_whole
from mnist_widgets.training.models import unwrap


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the `state_dict` of the model without its wrappers."""
    with write_whole(path) as temporary:
        torch.save(unwrap(model).state_dict(), temporary)
