"""The session of a lab, which begins each run with the settings shown."""

from __future__ import annotations

from collections.abc import Callable

from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.trainer import Trainer


class LabSession(TrainingSession):
    """A session that may replace an untrained network just before a run.

    Building a network takes too long for each change of a setting, so it waits for Start or Step.

    Args:
        trainer: the first one.
        renew: takes an untrained trainer, and returns the one to train in its place, if any.
        wait: as for `TrainingSession`.
    """

    def __init__(
        self,
        trainer: Trainer,
        renew: Callable[[Trainer], Trainer | None],
        wait: bool | None = None,
    ) -> None:
        super().__init__(trainer, wait)
        self._renew = renew
        # Both hold after all commands so far: the worker may not have reached a reset yet, and
        # until then `trainer` and its history are those of the run before.
        self._next_trainer, self._was_reset = trainer, False

    def start(self, epochs: int) -> None:
        """Train `epochs` more epochs, as `TrainingSession.start` does."""
        self._renew_untrained()
        super().start(epochs)
        self._was_reset = False

    def step(self, epochs: int = 1) -> None:
        """Train exactly one batch, as `TrainingSession.step` does."""
        self._renew_untrained()
        super().step(epochs)
        self._was_reset = False

    def reset(self, trainer: Trainer | None = None) -> None:
        """End the run and put the weights back, as `TrainingSession.reset` does."""
        super().reset(trainer)
        self._next_trainer, self._was_reset = trainer or self._next_trainer, True

    def _renew_untrained(self) -> None:
        trainer = self._next_trainer
        is_untrained = self._was_reset or not trainer.history.batch_losses
        if self.can("start") and is_untrained:
            renewed = self._renew(trainer)
            if renewed is not None:
                self.reset(renewed)
