"""How many batches and images a training handles in a second."""

from __future__ import annotations

import math

MEMORY_S = 3.0
"""Seconds after which a batch counts about a third of a fresh one."""


class Throughput:
    """Time and images for each batch, over about the last `MEMORY_S` seconds of training."""

    def __init__(self) -> None:
        # sums over the batches so far, with decaying weights
        self._seconds = self._batches = self._images = 0.0

    def add_batch(self, duration_s: float, num_images: int) -> None:
        """Count one batch."""
        decay = math.exp(-duration_s / MEMORY_S)
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
