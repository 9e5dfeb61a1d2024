"""Identify the weights that a session's training has now, to know later whether they changed."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.parameter import is_lazy

from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.history import History


@dataclass(frozen=True, eq=False)
class WeightsVersion:
    """The weights after some batches of a run, and after what else has changed them.

    Attributes:
        history: of the run.
        num_batches: trained in it so far.
        changes: identifies each parameter, and counts its changes, such as by `load_state_dict`.
    """

    history: History
    num_batches: int
    changes: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, session: TrainingSession) -> WeightsVersion:
        """Return the version of the newest weights."""
        history = session.trainer.history
        parameters = session.trainer.model.parameters()
        changes = tuple((id(each), _count_changes(each)) for each in parameters)
        return cls(history, len(history.batch_losses), changes)

    def __eq__(self, other: object) -> bool:
        """Compare the histories by identity: they are dicts, and those of two runs can be equal."""
        if not isinstance(other, WeightsVersion):
            return NotImplemented
        return self.history is other.history and (
            (self.num_batches, self.changes) == (other.num_batches, other.changes)
        )

    __hash__ = None  # type: ignore[assignment] # a history has none


def _count_changes(parameter: Tensor) -> int:
    """Return how often a parameter was changed in place; 0 if torch does not count it."""
    if is_lazy(parameter) or parameter.is_inference():
        return 0
    return parameter._version  # noqa: SLF001 - autograd's counter has no public name
