"""What a training tells after each batch and each epoch: plain numbers, safe in any thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class BatchReport:
    """What is known after one batch. Everything counts from 1.

    Attributes:
        step: batches trained since the history began.
        epoch: the epoch that this batch belongs to.
        batch: the batch's place in its epoch.
        num_batches: batches in an epoch.
        loss: the loss of this batch, before its update.
        num_images: inputs in this batch; 0 where the batch does not say.
        duration_s: seconds it took to get the batch and to train it.
    """

    step: int
    epoch: int
    batch: int
    num_batches: int
    loss: float
    num_images: int = 0
    duration_s: float = 0.0


@dataclass(frozen=True)
class EpochReport:
    """What is known after one epoch.

    Attributes:
        epoch: counts from 1.
        train_loss: mean of the epoch's batch losses.
        metrics: what the evaluator found, by name; empty without one.
    """

    epoch: int
    train_loss: float
    metrics: Mapping[str, float]
