"""How many batches and images a training handles in a second."""

from __future__ import annotations

import math


class Throughput:
    """Time and images for each batch, over about the last `memory_s` seconds of training.

    Args:
        memory_s: seconds after which a batch counts about a third of a fresh one.
    """

    def __init__(self, memory_s: float = 3.0) -> None:
        self._memory_s = memory_s
        # sums over the batches so far, with decaying weights
        self._seconds = self._batches = self._images = 0.0

    def add_batch(self, duration_s: float, num_images: int) -> None:
        """Count one batch."""
        decay = math.exp(-duration_s / self._memory_s)
        self._seconds = self._seconds * decay + duration_s
        self._batches = self._batches * decay + 1
        self._images = self._images * decay + num_images

    @property
    def seconds_per_batch(self) -> float:
        """Seconds that a batch takes, with its share of the evaluations; 0 before the first."""
        return self._seconds / self._batches if self._batches else 0.0

    @property
    def images_per_second(self) -> float:
        """Images trained in a second; 0 before the first batch."""
        return self._images / self._seconds if self._seconds else 0.0
