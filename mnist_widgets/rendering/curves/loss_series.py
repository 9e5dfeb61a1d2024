"""The losses of a training as a chart draws them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mnist_widgets.rendering.curves.axes import AxisRange, nice_limit
from mnist_widgets.rendering.curves.curves import Curves
from mnist_widgets.rendering.curves.series import (
    DEFAULT_SMOOTHING,
    MAX_POINTS,
    Points,
    Series,
    downsample,
    pick_drawable,
)
from mnist_widgets.training.history import History

EARLIER_RUNS_FACTOR = 2
"""How far a linear axis extends for earlier runs, in multiples of the present run's greatest loss.

Otherwise one run that diverged would flatten all others.
"""


class LossSeries(Curves):
    """The points that a loss chart draws of a history; an update reads only the new batches.

    Args:
        history: another thread may append to it.
        smoothing: strength, from 0 to below 1.
        is_log: whether the losses are drawn on a logarithmic scale.
        max_points: of each line.

    Attributes:
        history: what it reads.
        num_batches: the number of batches read so far.
        first_bad_batch: the first of them whose loss is no number, counted from 1, or None.
        epochs: under `mean` the mean loss of each epoch, under `test` its test loss.
    """

    def __init__(
        self,
        history: History,
        smoothing: float = DEFAULT_SMOOTHING,
        is_log: bool = False,
        max_points: int = MAX_POINTS,
    ) -> None:
        self.history, self.num_batches = history, 0
        self.first_bad_batch: int | None = None
        self._batches, self._is_log = Series(max_points, smoothing), is_log
        self.update()

    def update(self) -> None:
        """Read the new batches and all epochs."""
        history, is_log = self.history, self._is_log
        epoch_ends = np.array(history.epoch_ends, dtype=float)  # read first: written last
        new = np.array(history.batch_losses[self.num_batches :], dtype=float)
        is_bad = ~np.isfinite(new)
        if self.first_bad_batch is None and is_bad.any():
            self.first_bad_batch = self.num_batches + int(is_bad.argmax()) + 1
        positions = np.arange(self.num_batches + 1.0, self.num_batches + len(new) + 1)
        self._batches.extend(*pick_drawable(positions, new, is_log))
        self.num_batches += len(new)
        self.epochs = {
            color: downsample(pick_drawable(epoch_ends, history.get(name, []), is_log))
            for color, name in {"mean": "train", "test": "test_loss"}.items()
        }

    @property
    def is_empty(self) -> bool:
        """Whether no batch has been trained."""
        return not self.num_batches

    @property
    def batches(self) -> Points:
        """Positions (2, M) and losses (2, M): first of each batch, then of the smoothed line."""
        return self._batches.lines

    @property
    def main(self) -> Points:
        """The smoothed line."""
        positions, losses = self.batches
        return positions[1], losses[1]

    def choose_axes(self, earlier_runs: Sequence[Points] = ()) -> tuple[AxisRange, AxisRange]:
        """Return the range of batches and the range of losses that a chart shows.

        Args:
            earlier_runs: further lines to show, none of them empty.
        """
        losses = np.concatenate([self.batches[1][0], self.epochs["test"][1]])
        all_losses = np.concatenate([losses, *(values for _, values in earlier_runs)])
        low, high = (all_losses.min(), all_losses.max()) if len(all_losses) else (1.0, 1.0)
        x_range = self._choose_x_axis(earlier_runs)
        if self._is_log:
            low = nice_limit(max(low * 0.9, 1e-300), upwards=False)
            return x_range, AxisRange(low, nice_limit(high * 1.1), is_log=True)
        if len(losses) and losses.max() > 0:
            high = min(high, EARLIER_RUNS_FACTOR * losses.max())
        return x_range, AxisRange(min(low, 0.0), nice_limit(high))
