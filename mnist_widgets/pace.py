"""How fast a training goes."""

from __future__ import annotations

import math


class Pace:
    """Time and images for each batch, as running means over about the last `memory_s` seconds.

    Args:
        memory_s: seconds after which a batch counts about a third of a fresh one.

    Attributes:
        seconds_per_batch: 0 before the first batch.
        images_per_batch: 0 before the first batch.
    """

    def __init__(self, memory_s: float = 3.0) -> None:
        self._memory_s = memory_s
        self._num_batches = 0
        self.seconds_per_batch = 0.0
        self.images_per_batch = 0.0

    def add_batch(self, duration_s: float, num_images: int) -> None:
        """Take in one batch."""
        self._num_batches += 1
        weight = max(1 / self._num_batches, -math.expm1(-duration_s / self._memory_s))
        self.seconds_per_batch += weight * (duration_s - self.seconds_per_batch)
        self.images_per_batch += weight * (num_images - self.images_per_batch)

    @property
    def images_per_second(self) -> float:
        """Images a second while training; 0 before the first batch."""
        return self.images_per_batch / self.seconds_per_batch if self.seconds_per_batch else 0.0
