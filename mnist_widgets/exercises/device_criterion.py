"""Check on every machine that code moves a batch to the device of the network.

The network is on PyTorch's `meta` device. Tensors there have a shape, but no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mnist_widgets.exercises.mistakes import Mistake, rule_out
from mnist_widgets.exercises.recorders import LEARNING_RATE
from mnist_widgets.training.devices import device_of

_FILLS = (0, 1)  # `assert not isnan(inputs).any()` needs 0, `assert isfinite(inputs).all()` 1


def check_devices(train: Callable[..., object]) -> str:
    """Check that the code moves a batch to the device of the network.

    Where the code reads a number from a tensor on `meta`, such as an accuracy to print, it gets
    zeros. If it raises an error then, it is called once more with ones.

    Args:
        train: called as `train(network, loss_fn, optimizer)`; may move the network.

    Raises:
        Mistake: `device_ignored`.
    """
    try:
        return _check_devices(train, _FILLS[0])
    except Mistake:
        raise
    except Exception as error:
        try:
            return _check_devices(train, _FILLS[1])
        except Mistake:
            raise
        except Exception:
            raise error from None


def _check_devices(train: Callable[..., object], fill: int) -> str:
    seen: list[dict[str, str]] = []
    network = _MetaNetwork(seen.append)

    def loss_fn(input: Tensor, target: Tensor) -> Tensor:  # noqa: A002 - torch's names
        seen.append({"targets": target.device.type, "scores": input.device.type})
        loss: Tensor = _Loss.apply(input)
        return loss.requires_grad_()

    try:
        with _FilledTensors(fill):
            train(network, loss_fn, torch.optim.SGD(network.parameters(), lr=LEARNING_RATE))
    except Exception:
        _rule_out_odd_devices(seen)  # the error comes from them
        raise
    return _rule_out_odd_devices(seen)


def _rule_out_odd_devices(seen: Iterable[Mapping[str, str]]) -> str:
    odd = [devices for devices in seen if len(set(devices.values())) > 1]
    words = ", ".join(f"{name} on {device}" for each in odd[:1] for name, device in each.items())
    return rule_out(f"expected one device, found {words or 'one'}", {"device_ignored": odd})


class _MetaNetwork(nn.Module):
    """A network that can be moved from the `meta` device; torch's modules raise an error."""

    def __init__(self, record: Callable[[dict[str, str]], None]) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 3, device="meta")
        self._record = record

    def to(self, *args: Any, **kwargs: Any) -> _MetaNetwork:  # noqa: ANN401 - as in torch
        """Move to a device, without values."""
        return self.to_empty(device=kwargs.get("device", args[0] if args else "cpu"))

    def cpu(self) -> _MetaNetwork:
        """Move to the CPU, without values."""
        return self.to("cpu")

    def forward(self, inputs: Tensor) -> Tensor:
        """Record the devices of inputs and network, and return scores that have a gradient."""
        here = device_of(self)
        self._record({"inputs": inputs.device.type, "network": here.type})
        scores: Tensor = self.linear(torch.zeros(len(inputs), 5, device=here))
        return scores


class _Loss(torch.autograd.Function):
    """A loss of 1 on the CPU for scores on any device, with gradients of zero."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:  # noqa: ANN401 - as in torch
        """Return the loss."""
        ctx.save_for_backward(scores)
        return torch.tensor(1.0)

    @staticmethod
    def backward(ctx: Any, _gradient: Tensor) -> Tensor:  # noqa: ANN401 - as in torch
        """Return the gradient of the scores."""
        [scores] = ctx.saved_tensors
        return torch.zeros_like(scores)


class _FilledTensors(TorchFunctionMode):
    """Replaces tensors on `meta` by tensors of one number where torch needs their values.

    A function that also gets a tensor with values fails, as it would with a GPU.
    """

    def __init__(self, fill: int) -> None:
        super().__init__()
        self._fill = fill

    def __torch_function__(
        self,
        func: Callable[..., Any],
        _types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - any result of torch
        """Call a function of torch, and once more with filled tensors if it fails."""
        kwargs = kwargs or {}
        try:
            return func(*args, **kwargs)
        except (RuntimeError, TypeError):
            tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
            if not tensors or not all(tensor.is_meta for tensor in tensors):
                raise
            filled = {name: self._fill_tensor(value) for name, value in kwargs.items()}
            with suppress(Exception):  # the first error says more
                return func(*map(self._fill_tensor, args), **filled)
            raise

    def _fill_tensor(self, value: object) -> object:
        if isinstance(value, Tensor):
            return torch.full(value.shape, self._fill, dtype=value.dtype)
        return value
