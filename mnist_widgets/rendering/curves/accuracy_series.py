"""The accuracies of a training as a chart draws them: in training and in the test."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mnist_widgets.rendering.curves.axes import AxisRange
from mnist_widgets.rendering.curves.curves import Curves
from mnist_widgets.rendering.curves.loss_series import EARLIER_RUNS_FACTOR
from mnist_widgets.rendering.curves.series import MAX_POINTS, Points, downsample, pick_drawable
from mnist_widgets.training.history import TEST_ACCURACY, TRAIN_ACCURACY, History

_MIN_RANGE = 10  # per cent; a shorter axis would make noise look like a trend


class AccuracySeries(Curves):
    """The accuracies of each epoch, in per cent.

    Args:
        history: another thread may append to it.
        max_points: of each line.
    """

    def __init__(self, history: History, max_points: int = MAX_POINTS) -> None:
        self.history, self._max_points = history, max_points
        self.update()

    def update(self) -> None:
        """Read all accuracies."""
        history = self.history
        ends = np.array(history.epoch_ends, dtype=float)  # read first: written last
        self.num_batches = len(history.batch_losses)
        names = {"train": TRAIN_ACCURACY, "test": TEST_ACCURACY}
        self.epochs = {}
        for color, name in names.items():
            positions, shares = pick_drawable(ends, history.get(name, []), is_log=False)
            self.epochs[color] = downsample((positions, 100 * shares), self._max_points)

    @property
    def is_empty(self) -> bool:
        """Whether no epoch has an accuracy."""
        return not any(len(values) for _, values in self.epochs.values())

    @property
    def main(self) -> Points:
        """The test accuracies."""
        return self.epochs["test"]

    def choose_axes(self, earlier_runs: Sequence[Points] = ()) -> tuple[AxisRange, AxisRange]:
        """Return the range of batches, and that of per cent: from a multiple of ten to 100."""
        low = min((values.min() for _, values in self.epochs.values() if len(values)), default=None)
        if earlier_runs:
            lowest = min(values.min() for _, values in earlier_runs)
            limit = 0 if low is None else 100 - EARLIER_RUNS_FACTOR * (100 - low)
            low = min(100 if low is None else low, max(lowest, limit))
        low = 10 * math.floor(min(0 if low is None else low, 100 - _MIN_RANGE) / 10 + 1e-9)
        return self._choose_x_axis(earlier_runs), AxisRange(max(low, 0.0), 100.0)
