"""What a chart draws of a training's history: the base class of losses and accuracies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from mnist_widgets.rendering.curves.axes import AxisRange, nice_limit
from mnist_widgets.rendering.curves.series import Points
from mnist_widgets.training.history import History

NO_POINTS: Points = (np.zeros(0), np.zeros(0))


class Curves(ABC):
    """The points of a history, of which `update` reads what is new.

    Other settings need other curves.

    Attributes:
        history: what it reads; another thread may append to it.
        num_batches: the number of batches read so far.
        epochs: a value for each epoch, at its last batch; by the names of their colours.
    """

    history: History
    num_batches: int
    epochs: dict[str, Points]

    @abstractmethod
    def update(self) -> None:
        """Read what is new."""

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether the history has nothing to draw yet."""

    @property
    def batches(self) -> Points:
        """Positions (2, M) and values (2, M): first of each batch, then of the smoothed line."""
        return np.zeros((2, 0)), np.zeros((2, 0))

    @property
    @abstractmethod
    def main(self) -> Points:
        """The line that is compared with those of earlier runs."""

    @abstractmethod
    def choose_axes(self, earlier_runs: Sequence[Points] = ()) -> tuple[AxisRange, AxisRange]:
        """Return the range of batches and the range of values that a chart shows.

        Args:
            earlier_runs: further lines to show, none of them empty.
        """

    def _choose_x_axis(self, earlier_runs: Sequence[Points]) -> AxisRange:
        last = max([10, self.num_batches, *(positions[-1] for positions, _ in earlier_runs)])
        return AxisRange(0.0, nice_limit(last))
