"""Choose a device, and move a model and its optimizer to it."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn
from torch.optim import Optimizer


def pick_device() -> torch.device:
    """Return the fastest available device: cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's parameters or buffers; cpu if it has none."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def move(model: nn.Module, optimizer: Optimizer, device: torch.device) -> None:
    """Move a model and the state of its optimizer to `device`."""
    if device_of(model) == device:
        return
    model.to(device)
    # load_state_dict moves an optimizer's state to the device of its parameters
    optimizer.load_state_dict(optimizer.state_dict())


def move_loss(loss_fn: object, device: torch.device) -> torch.device:
    """Move a loss function's weights, if it has any, to `device`; return their previous device."""
    if not isinstance(loss_fn, nn.Module):
        return device
    previous = device_of(loss_fn)
    loss_fn.to(device)
    return previous
