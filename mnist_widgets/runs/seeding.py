"""Seed the random numbers of a run without changing those of other code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.trainer import Trainer


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw random numbers from `seed` within this context; torch's own state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed all devices too
        yield


class SeedRun(Callback):
    """Seed torch just before the first batch of a run, and again after each reset.

    A run that is reset then repeats itself bit for bit. A run that continues after a stop is not
    seeded again.

    Args:
        seed: for the random numbers that training draws, such as those of dropout.
        order: the generator of the order of the images, which gets the same seed.
    """

    def __init__(self, seed: int, order: torch.Generator) -> None:
        self._seed = seed
        self._order = order

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Seed both if no batch has been trained yet."""
        if not trainer.history.batch_losses:
            torch.manual_seed(self._seed)
            self._order.manual_seed(self._seed)
