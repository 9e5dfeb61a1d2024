"""The images that give a run's training accuracy."""

from __future__ import annotations

from mnist_widgets.data.digit_set import DigitSet

MAX_TRAIN_EVALUATED = 5_000
"""How many training images, at most, give the training accuracy; more would take too long."""


def choose_evaluated(images: DigitSet, seed: int = 0) -> DigitSet:
    """Return the images that give the training accuracy: some of those trained with, or all."""
    return images.sample(min(MAX_TRAIN_EVALUATED, len(images)), seed)


def write_evaluated(seed: int) -> str:
    """Return the expression that does the same with a `train_set`."""
    return f"train_set.sample(min({MAX_TRAIN_EVALUATED}, len(train_set)), seed={seed})"
