"""The session of a lab, which begins each run with the settings shown."""

from __future__ import annotations

from collections.abc import Callable

from mnist_widgets.drivers import DriverName
from mnist_widgets.session import TrainingSession
from mnist_widgets.training import Trainer


class LabSession(TrainingSession):
    """A session that may replace an untrained network just before a run.

    Building a network takes too long for each change of a setting, so it waits for Start or Step.

    Args:
        trainer: the first one.
        driver: where to train.
        renew: takes an untrained trainer, and returns the one to train in its place, if any.
    """

    def __init__(
        self,
        trainer: Trainer,
        driver: DriverName | None,
        renew: Callable[[Trainer], Trainer | None],
    ) -> None:
        super().__init__(trainer, driver)
        self._renew = renew
        # The trainer after all commands so far: `trainer` still is the one before a reset that
        # the worker has not reached.
        self._next_trainer = trainer

    def start(self, epochs: int) -> None:
        """Train `epochs` more epochs, as `TrainingSession.start` does."""
        self._renew_untrained()
        super().start(epochs)

    def step(self, epochs: int = 1) -> None:
        """Train exactly one batch, as `TrainingSession.step` does."""
        self._renew_untrained()
        super().step(epochs)

    def reset(self, trainer: Trainer | None = None) -> None:
        """End the run and put the weights back, as `TrainingSession.reset` does."""
        super().reset(trainer)
        self._next_trainer = trainer or self._next_trainer

    def _renew_untrained(self) -> None:
        trainer = self._next_trainer
        if self.can("start") and not trainer.history.batch_losses:
            renewed = self._renew(trainer)
            if renewed is not None:
                self.reset(renewed)
