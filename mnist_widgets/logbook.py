"""What a training really did, apart from what can be typed into its history.

A `Trainer` writes it and nobody else does; a check that judges a run goes by it. It stands beside
every batch, so it is made to cost microseconds: of every fourth batch it looks at the first input,
and between two batches at the network's smallest parameter, which training moves like the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_BATCHES_FOR_A_SAMPLE = 4


class Logbook:
    """Counts, sources and weights of a training, since its history began.

    Attributes:
        num_batches: batches trained.
        num_inputs: inputs in them, as far as the batches say.
        num_epochs: whole epochs trained.
        num_foreign_changes: how often something else than the training step changed the weights:
            a callback, an evaluator, or a cell between two runs. Putting back the weights of the
            beginning or of the end of an epoch does not count.
        sources: what the batches came from, in order: each a `train_batches` of the trainer.
        samples: the `fingerprint` of the first input of every fourth batch.
        first_weights: copies of the parameters, by name, from before the first batch; None before.
        last_weights: the same from the end of the last run; None before.
    """

    def __init__(self) -> None:
        self.num_batches = 0
        self.num_inputs = 0
        self.num_epochs = 0
        self.num_foreign_changes = 0
        self.sources: list[object] = []
        self.samples: set[int] = set()
        self.first_weights: Mapping[str, Tensor] | None = None
        self.last_weights: Mapping[str, Tensor] | None = None
        self._parameters: list[nn.Parameter] = []
        self._smallest: nn.Parameter | None = None
        self._left_at: int | None = None  # None while a batch is trained, or where one failed
        self._own_weights: set[int] = set()  # fingerprints

    def begin_run(self, model: nn.Module) -> None:
        """Keep the weights with which the first run begins."""
        if self.first_weights is None:
            self.first_weights = copy_weights(model)
        elif not are_equal(self.last_weights or {}, copy_weights(model)):
            self.num_foreign_changes += 1
        self._keep_as_own(model)

    def begin_batch(self) -> None:
        """Look whether the weights are still those that the last batch left."""
        self._look_for_changes()
        self._left_at = None

    def add_batch(self, source: object, inputs: Tensor | None) -> None:
        """Count a batch that was trained.

        Args:
            source: what it came from.
            inputs: its inputs (B, ...), if it says which they are.
        """
        self._left_at = self._see()
        if inputs is not None:
            self.num_inputs += len(inputs)
            if self.num_batches % _BATCHES_FOR_A_SAMPLE == 0 and _has_values(inputs):
                self.samples.add(fingerprint(inputs[0]))
        self.num_batches += 1
        if not any(source is known for known in self.sources):
            self.sources.append(source)

    def add_epoch(self, model: nn.Module) -> None:
        """Count a whole epoch."""
        self.num_epochs += 1
        self._look_for_changes()
        self._keep_as_own(model)

    def end_run(self, model: nn.Module) -> None:
        """Keep the weights with which a run ends."""
        self._look_for_changes()
        self.last_weights = copy_weights(model)

    def _keep_as_own(self, model: nn.Module) -> None:
        self._parameters = [each for each in model.parameters() if _has_shape(each)]
        trained = [parameter for parameter in self._parameters if parameter.requires_grad]
        self._smallest = min(trained, key=Tensor.numel, default=None)
        self._left_at = self._see()
        self._own_weights.add(self._hash_weights())

    def _see(self) -> int | None:
        return None if self._smallest is None else fingerprint(self._smallest)

    def _look_for_changes(self) -> None:
        seen = self._see()
        if self._left_at not in {None, seen} and self._hash_weights() not in self._own_weights:
            self.num_foreign_changes += 1
        self._left_at = seen

    def _hash_weights(self) -> int:
        return hash(tuple(map(fingerprint, self._parameters)))


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of a model's parameters on the CPU, by name; of those that have a shape yet."""
    return {
        name: parameter.detach().cpu().clone()
        for name, parameter in model.named_parameters()
        if _has_shape(parameter)
    }


def are_equal(some: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> bool:
    """Whether two sets of weights have the same names and values; NaN equals NaN."""
    return some.keys() == others.keys() and all(
        (some[name].shape, some[name].dtype) == (others[name].shape, others[name].dtype)
        and torch.allclose(some[name], others[name], rtol=0, atol=0, equal_nan=True)
        for name in some
    )


def fingerprint(values: Tensor) -> int:
    """Return a number that only these values have; it holds within this run of Python.

    Args:
        values: numbers of any kind and shape; compared as float32.
    """
    floats = values if values.dtype is torch.float32 else values.float()
    return hash(floats.numpy(force=True).tobytes())


def _has_shape(parameter: nn.Parameter) -> bool:
    return not isinstance(parameter, nn.UninitializedParameter)


def _has_values(inputs: Tensor) -> bool:
    return len(inputs) > 0 and inputs.layout is torch.strided and not inputs.is_meta
