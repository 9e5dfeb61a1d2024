"""Stand-ins that note what a student's training loop does with them.

What it should do with them is left to `trainer`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from mnist_widgets.devices import device_of
from mnist_widgets.exercises.mistakes import Mistake

# Three epochs of four batches, the last of them smaller: every count is another one.
NUM_EPOCHS, NUM_BATCHES, NUM_INPUTS, BATCH_SIZE = 3, 4, 14, 4
_MOST_EPOCHS = 50


@dataclass
class Log:
    """What happened while the student's function ran."""

    events: list[str] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    modes: dict[int, bool] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)

    @property
    def num_epochs(self) -> int:
        """How often the loader was gone through."""
        return self.events.count("epoch")

    def note_mode(self, is_training: bool) -> None:
        """Remember whether each epoch was trained in training mode throughout."""
        epoch = self.num_epochs
        self.modes[epoch] = self.modes.get(epoch, True) and is_training

    def compute_loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy and remember its value."""
        loss = functional.cross_entropy(scores, targets)
        self.events.append("loss")
        self.losses.append(loss.item())
        return loss

    def count_losses_between_evaluations(self) -> list[int]:
        """Return how many losses were computed up to each evaluation."""
        counts = accumulate(event == "loss" for event in self.events)
        pairs = zip(self.events, counts, strict=True)
        return [count for event, count in pairs if event == "evaluation"]


class WatchedLoader(DataLoader[Any]):
    """The same batches in each epoch, and not for ever."""

    def __init__(self, log: Log) -> None:
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(NUM_INPUTS, 5, generator=generator)
        targets = torch.randint(0, 3, (NUM_INPUTS,), generator=generator)
        super().__init__(TensorDataset(inputs, targets), batch_size=BATCH_SIZE)
        self._log = log

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # a generator is one
        """Begin another epoch."""
        self._log.events.append("epoch")
        if self._log.num_epochs > _MOST_EPOCHS:
            raise Mistake("never_ends", f"expected 3 epochs, found more than {_MOST_EPOCHS}")
        return super().__iter__()


class WatchedNetwork(nn.Module):
    """Five numbers in, three scores out; handed over in evaluation mode."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 3)
        self.log = log
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Score the inputs and note the mode."""
        self.log.note_mode(self.training)
        scores: Tensor = self.linear(inputs)
        return scores


class Wanderer(nn.Module):
    """A network on `meta` that can leave it, which torch's own cannot."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 3, device="meta")
        self._log = log

    def to(self, *args: Any, **kwargs: Any) -> Wanderer:  # noqa: ANN401 - as in torch
        """Move to a device, without values."""
        return self.to_empty(device=kwargs.get("device", args[0] if args else "cpu"))

    def cpu(self) -> Wanderer:
        """Move to the CPU, without values."""
        return self.to("cpu")

    def forward(self, inputs: Tensor) -> Tensor:
        """Note where inputs and network are, and give zeros."""
        here = device_of(self)
        self._log.devices.append(f"inputs on {inputs.device.type}, network on {here.type}")
        return torch.zeros(len(inputs), 3, device=here)


class PlantedEvaluator:
    """Gives other metrics in each epoch, and leaves the network in evaluation mode."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._num_calls = 0

    @staticmethod
    def make_metrics(num_epochs: int) -> dict[str, list[float]]:
        """Return what is reported in each epoch, by name."""
        return {
            "test_loss": [1 / epoch for epoch in range(1, num_epochs + 1)],
            "share_right": [epoch / 16 for epoch in range(1, num_epochs + 1)],
        }

    def __call__(self, *_: object) -> None:
        """Refuse to be called like a function."""
        raise Mistake(
            "evaluator_called", "expected `evaluator.evaluate(...)`, found `evaluator(...)`"
        )

    def evaluate(self, model: nn.Module, device: torch.device | str) -> dict[str, float]:
        """Return the metrics of this call and note when it came."""
        self._log.events.append("evaluation")
        self._num_calls += 1
        if torch.device(device).type != device_of(model).type:
            found = f"expected {device_of(model)}, where the network is, found {device}"
            raise Mistake("evaluated_on_another_device", found)
        model.eval()
        return {name: values[-1] for name, values in self.make_metrics(self._num_calls).items()}
