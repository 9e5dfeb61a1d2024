"""Identify the weights that a session's training has now, to know later whether they changed."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.history import History


@dataclass(frozen=True, eq=False)
class WeightsVersion:
    """The weights after some batches of a run.

    Attributes:
        history: of the run.
        num_batches: trained in it so far.
    """

    history: History
    num_batches: int

    @classmethod
    def read(cls, session: TrainingSession) -> WeightsVersion:
        """Return the version of the newest weights."""
        history = session.trainer.history
        return cls(history, len(history.batch_losses))

    def __eq__(self, other: object) -> bool:
        """Compare the histories by identity: they are dicts, and those of two runs can be equal."""
        if not isinstance(other, WeightsVersion):
            return NotImplemented
        return self.history is other.history and self.num_batches == other.num_batches

    __hash__ = None  # type: ignore[assignment] # a history has none
