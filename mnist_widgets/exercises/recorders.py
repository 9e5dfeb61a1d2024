"""Stand-ins that note what a student's training loop or callback does with them.

What it should do with them is left to `trainer` and `callback`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
METRICS = {"test_loss": [1.0, 1 / 2, 1 / 3], "share_right": [1 / 16, 2 / 16, 3 / 16]}
"""What the evaluator says after each of the three epochs."""


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
        counts = accumulate(int(event == "loss") for event in self.events)
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
            raise Mistake("never_ends", f"found more than {_MOST_EPOCHS} epochs")
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
    """Reports what it was given, one value for each epoch, and leaves evaluation mode behind.

    Args:
        metrics: by name, the values of the first call and of those after it; the last stays.
        log: where each call is noted.

    Attributes:
        num_calls: how often it was asked; whoever sets it to 0 begins with the first values again.
    """

    def __init__(self, metrics: Mapping[str, Sequence[float]], log: Log | None = None) -> None:
        self._metrics = metrics
        self._log = log or Log()
        self.num_calls = 0

    def __call__(self, *_: object) -> None:
        """Refuse to be called like a function."""
        raise Mistake(
            "evaluator_called", "expected `evaluator.evaluate(...)`, found `evaluator(...)`"
        )

    def evaluate(self, model: nn.Module, device: torch.device | str) -> dict[str, float]:
        """Return the metrics of this call and note when it came."""
        self._log.events.append("evaluation")
        if torch.device(device).type != device_of(model).type:
            found = f"expected {device_of(model)}, where the network is, found {device}"
            raise Mistake("evaluated_on_another_device", found)
        model.eval()
        index = self.num_calls
        self.num_calls += 1
        return {name: values[min(index, len(values) - 1)] for name, values in self._metrics.items()}
