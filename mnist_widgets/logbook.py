"""What a training really did, apart from what can be typed into its history.

A `Trainer` writes it and nobody else does; a check that judges a run goes by it.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class Logbook:
    """Counts, sources and weights of a training, since its history began.

    Attributes:
        num_batches: batches trained.
        num_inputs: inputs in them, as far as the batches say.
        num_epochs: whole epochs trained.
        sources: what the batches came from, in order: each a `train_batches` of the trainer.
        first_weights: copies of the parameters, by name, from before the first batch; None before.
        last_weights: the same from the end of the last run; None before.
    """

    def __init__(self) -> None:
        self.num_batches = 0
        self.num_inputs = 0
        self.num_epochs = 0
        self.sources: list[object] = []
        self.first_weights: Mapping[str, Tensor] | None = None
        self.last_weights: Mapping[str, Tensor] | None = None

    def begin_run(self, model: nn.Module) -> None:
        """Keep the weights with which the first run begins."""
        if self.first_weights is None:
            self.first_weights = copy_weights(model)

    def add_batch(self, source: object, num_inputs: int) -> None:
        """Count a batch that was trained."""
        self.num_batches += 1
        self.num_inputs += num_inputs
        if not any(source is known for known in self.sources):
            self.sources.append(source)

    def add_epoch(self) -> None:
        """Count a whole epoch."""
        self.num_epochs += 1

    def end_run(self, model: nn.Module) -> None:
        """Keep the weights with which a run ends."""
        self.last_weights = copy_weights(model)


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of a model's parameters on the CPU, by name; of those that have a shape yet."""
    return {
        name: parameter.detach().cpu().clone()
        for name, parameter in model.named_parameters()
        if not isinstance(parameter, nn.UninitializedParameter)
    }
