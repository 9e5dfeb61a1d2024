"""Runs of several trainers, one after the other."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from mnist_widgets.training.trainer import Trainer


@dataclass
class RunSeries:
    """A series of runs that a session trains as one; only its worker changes it.

    Args:
        trainers: builds the trainer of each run when the run before has finished. It is closed
            where it stands if a run does not finish.
        num_runs: how many trainers it builds.
        epochs: of each run.

    Attributes:
        next_trainer: the trainer of the next run, whose first batch is not yet due; or None.
        run_number: the number of the current or last run, from 1; 0 before the first.
        num_finished: how many runs have finished.
        num_batches: batches in all runs; 0 before the first. All have as many.
    """

    trainers: Generator[Trainer, None, None]
    num_runs: int
    epochs: int
    next_trainer: Trainer | None = None
    run_number: int = 0
    num_finished: int = 0
    num_batches: int = 0

    def build_next(self) -> bool:
        """The run before has finished: build the next trainer; return whether there is one."""
        self.num_finished = self.run_number
        self.next_trainer = next(self.trainers, None)
        return self.next_trainer is not None

    def take_next(self) -> Trainer:
        """Return the trainer of the run that begins now."""
        trainer, self.next_trainer = self.next_trainer, None
        assert trainer is not None  # noqa: S101 - `build_next` said so
        self.run_number += 1
        self.num_batches = self.num_runs * self.epochs * trainer.num_batches
        return trainer

    def close(self) -> None:
        """Build no more trainers."""
        self.next_trainer = None
        self.trainers.close()
