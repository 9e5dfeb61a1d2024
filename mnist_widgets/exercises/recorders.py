"""Networks, a loader and an evaluator that record how a student's code uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from mnist_widgets.exercises.mistakes import Mistake, rule_out
from mnist_widgets.training.devices import device_of

# Three epochs of four batches; the last batch is smaller. All counts differ, so that each wrong
# number of losses or epochs identifies a mistake.
NUM_EPOCHS, NUM_BATCHES, NUM_INPUTS, BATCH_SIZE = 3, 4, 14, 4
LEARNING_RATE = 0.5
_MAX_EPOCHS = 50
METRICS = {"test_loss": [1.0, 1 / 2, 1 / 3], "share_right": [1 / 16, 2 / 16, 3 / 16]}
"""The evaluator's results after each of the three epochs."""

Call: TypeAlias = tuple[bool, Tensor]
"""A call of a network: whether it was in training mode, and its scores."""


@dataclass
class Log:
    """What happened while the student's function ran.

    Attributes:
        num_epochs: how often the loader was iterated.
        losses: the values that the loss function returned, without those that are only
            printed: losses without gradients, and repetitions of the one before.
        evaluations: for each evaluation, how many losses were computed before it.
        modes: by epoch, whether the network was in training mode in each call with gradients.
    """

    num_epochs: int = 0
    losses: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    modes: dict[int, bool] = field(default_factory=dict)

    def record_call(self, call: Call) -> None:
        """Record whether the network was in training mode."""
        is_right = call[0] or not torch.is_grad_enabled()  # the code may evaluate batches too
        self.modes[self.num_epochs] = self.modes.get(self.num_epochs, True) and is_right

    def compute_loss(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002 - torch's names
        """Return the cross-entropy and record its value."""
        loss = functional.cross_entropy(input, target)
        if loss.requires_grad and self.losses[-1:] != [loss.item()]:
            self.losses.append(loss.item())
        return loss


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
        self._log.num_epochs += 1
        if self._log.num_epochs > _MAX_EPOCHS:
            raise Mistake("never_ends", f"found more than {_MAX_EPOCHS} epochs")
        return super().__iter__()


class RecordingNetwork(nn.Module):
    """A network that records its calls.

    Args:
        layers: compute the scores.
        record: receives each call of the network and of its copies.
    """

    def __init__(self, layers: nn.Sequential, record: Callable[[Call], None]) -> None:
        super().__init__()
        self.layers = layers
        self._record = record

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the scores and record the call."""
        scores: Tensor = self.layers(inputs)
        self._record((self.training, scores.detach()))
        return scores


class ReferenceModel:
    """A copy of a network's layers that is trained correctly, for comparison."""

    def __init__(self, layers: nn.Module) -> None:
        self._layers = deepcopy(layers)
        self._before = _join(layers)
        self.optimizer = torch.optim.SGD(self._layers.parameters(), lr=LEARNING_RATE)

    def train(self, batch: Sequence[Tensor]) -> None:
        """Make one update, without setting gradients to zero."""
        functional.cross_entropy(self._layers(batch[0]), batch[1]).backward()
        self.optimizer.step()

    def equals(self, network: nn.Module) -> bool:
        """Whether another network has the same weights."""
        return _are_close(_join(self._layers), _join(network))

    def is_unchanged(self, network: nn.Module) -> bool:
        """Whether another network has the weights from before the training."""
        return _are_close(self._before, _join(network))

    def compare_with(self, network: nn.Module) -> str:
        """Describe the weight that differs most."""
        ours, theirs = _join(self._layers), _join(network)
        worst = (ours - theirs).abs().argmax()
        return f"expected a weight to become {ours[worst]:.5f}, found {theirs[worst]:.5f}"


def _join(network: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach().cpu()


def _are_close(weights: Tensor, others: Tensor) -> bool:
    return torch.allclose(weights, others, atol=1e-4)  # a GPU adds in another order


class ScriptedEvaluator:
    """Returns scripted metrics, one value for each call, and sets evaluation mode.

    Args:
        metrics: by name, the values of each call; after the last one it repeats.
        log: records each call; clear its `evaluations` to start again with the first values.
    """

    def __init__(self, metrics: Mapping[str, Sequence[float]], log: Log | None = None) -> None:
        self._metrics = metrics
        self.log = log or Log()

    def __call__(self, *_: object) -> None:
        """Recognize a call without `.evaluate`."""
        raise Mistake(
            "evaluator_called", "expected `evaluator.evaluate(...)`, found `evaluator(...)`"
        )

    def evaluate(self, model: nn.Module, device: torch.device | str) -> dict[str, float]:
        """Return the metrics of this call and record it."""
        index = len(self.log.evaluations)
        self.log.evaluations.append(len(self.log.losses))
        found = f"expected {device_of(model)}, where the network is, found {device}"
        is_elsewhere = torch.device(device).type != device_of(model).type
        rule_out(found, {"evaluated_on_another_device": is_elsewhere})
        model.eval()
        return {name: values[min(index, len(values) - 1)] for name, values in self._metrics.items()}
