"""Reports of one batch and of one epoch: immutable numbers that any thread may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_widgets.training.evaluation.predictions import Predictions
    from mnist_widgets.training.recording.step_record import StepRecord


@dataclass(frozen=True)
class BatchReport:
    """The result of one batch. All numbers count from 1.

    Attributes:
        step: Number of batches trained since the history began.
        epoch: The epoch that this batch belongs to.
        batch: The position of the batch in its epoch.
        num_batches: Number of batches in an epoch.
        loss: The loss of this batch, before its update.
        num_images: Number of inputs in this batch; 0 if it is unknown.
        duration_s: Time to load the batch and train on it, in seconds.
        record: The record of the training step, after `Trainer.record_next`; else None.
    """

    step: int
    epoch: int
    batch: int
    num_batches: int
    loss: float
    num_images: int = 0
    duration_s: float = 0.0
    record: StepRecord | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class EpochReport:
    """The result of one epoch.

    Attributes:
        epoch: The number of the epoch, from 1.
        train_loss: Mean of the epoch's batch losses.
        metrics: The evaluator's metrics by name; empty without an evaluator.
        predictions: Those of the trainer's `Evaluator` at the end of this epoch; else None.
        train_predictions: The same for the evaluator's `train_batches`.
    """

    epoch: int
    train_loss: float
    metrics: Mapping[str, float]
    predictions: Predictions | None = field(default=None, repr=False, compare=False)
    train_predictions: Predictions | None = field(default=None, repr=False, compare=False)
