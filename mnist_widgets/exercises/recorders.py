"""A loader, networks and an evaluator that record how a student's code uses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.training.devices import device_of

# Three epochs of four batches, the last one smaller: all counts differ.
NUM_EPOCHS, NUM_BATCHES, NUM_INPUTS, BATCH_SIZE = 3, 4, 14, 4
_MAX_EPOCHS = 50
METRICS = {"test_loss": [1.0, 1 / 2, 1 / 3], "share_right": [1 / 16, 2 / 16, 3 / 16]}
"""The evaluator's results after each of the three epochs."""


@dataclass
class Log:
    """The events while the student's function ran."""

    events: list[str] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    modes: dict[int, bool] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)

    @property
    def num_epochs(self) -> int:
        """How often the loader was iterated."""
        return self.events.count("epoch")

    def record_mode(self, is_training: bool) -> None:
        """Record whether the network was in training mode during the whole epoch."""
        epoch = self.num_epochs
        self.modes[epoch] = self.modes.get(epoch, True) and is_training

    def compute_loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy and record its value."""
        loss = functional.cross_entropy(scores, targets)
        self.events.append("loss")
        self.losses.append(loss.item())
        return loss

    def count_losses_between_evaluations(self) -> list[int]:
        """Return how many losses were computed up to each evaluation."""
        counts = accumulate(int(event == "loss") for event in self.events)
        pairs = zip(self.events, counts, strict=True)
        return [count for event, count in pairs if event == "evaluation"]


class RecordingLoader(DataLoader[Any]):
    """The same batches in each epoch; raises after too many epochs."""

    def __init__(self, log: Log) -> None:
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(NUM_INPUTS, 5, generator=generator)
        targets = torch.randint(0, 3, (NUM_INPUTS,), generator=generator)
        super().__init__(TensorDataset(inputs, targets), batch_size=BATCH_SIZE)
        self._log = log

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # a generator is one
        """Start an epoch."""
        self._log.events.append("epoch")
        if self._log.num_epochs > _MAX_EPOCHS:
            raise Mistake("never_ends", f"found more than {_MAX_EPOCHS} epochs")
        return super().__iter__()


class RecordingNetwork(nn.Module):
    """A network with five inputs and three scores, initially in evaluation mode."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 3)
        self.log = log
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return scores and record the mode."""
        self.log.record_mode(self.training)
        scores: Tensor = self.linear(inputs)
        return scores


class MovableNetwork(nn.Module):
    """A network on the `meta` device that can be moved, unlike torch's own."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 3, device="meta")
        self._log = log

    def to(self, *args: Any, **kwargs: Any) -> MovableNetwork:  # noqa: ANN401 - as in torch
        """Move to a device, without values."""
        return self.to_empty(device=kwargs.get("device", args[0] if args else "cpu"))

    def cpu(self) -> MovableNetwork:
        """Move to the CPU, without values."""
        return self.to("cpu")

    def forward(self, inputs: Tensor) -> Tensor:
        """Record the devices of inputs and network, and return zeros."""
        here = device_of(self)
        self._log.devices.append(f"inputs on {inputs.device.type}, network on {here.type}")
        return torch.zeros(len(inputs), 3, device=here)


class ScriptedEvaluator:
    """Returns scripted metrics, one value for each call, and sets evaluation mode.

    Args:
        metrics: by name, the values of each call; after the last one it repeats.
        log: records each call.

    Attributes:
        num_calls: the number of calls; set it to 0 to start again with the first values.
    """

    def __init__(self, metrics: Mapping[str, Sequence[float]], log: Log | None = None) -> None:
        self._metrics = metrics
        self._log = log or Log()
        self.num_calls = 0

    def __call__(self, *_: object) -> None:
        """Recognize a call without `.evaluate`."""
        raise Mistake(
            "evaluator_called", "expected `evaluator.evaluate(...)`, found `evaluator(...)`"
        )

    def evaluate(self, model: nn.Module, device: torch.device | str) -> dict[str, float]:
        """Return the metrics of this call and record it."""
        self._log.events.append("evaluation")
        if torch.device(device).type != device_of(model).type:
            found = f"expected {device_of(model)}, where the network is, found {device}"
            raise Mistake("evaluated_on_another_device", found)
        model.eval()
        index = self.num_calls
        self.num_calls += 1
        return {name: values[min(index, len(values) - 1)] for name, values in self._metrics.items()}
