"""Save a model's weights in a file that is never incomplete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from mnist_widgets.system.whole_files import write_whole
from mnist_widgets.training.models import find_wrapped_name


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the `state_dict` that the model would have without wrappers of it and of its parts."""
    with write_whole(path) as temporary:
        torch.save(_read_unwrapped_state(model), temporary)


def _read_unwrapped_state(model: nn.Module) -> dict[str, Any]:
    wrapped_names = {
        prefix: find_wrapped_name(part)
        for prefix, part in model.named_modules(remove_duplicate=False)
    }

    def remove_wrappers(name: str) -> str:
        path = name.split(".")
        return ".".join(
            part
            for index, part in enumerate(path)
            if wrapped_names.get(".".join(path[:index])) != part
        )

    state = model.state_dict()
    versions = getattr(state, "_metadata", {})  # of the layers' parameters, for their loading
    for names in (state, versions):
        for name in [*names]:  # all of them, so that the order stays
            names[remove_wrappers(name)] = names.pop(name)
    return state
