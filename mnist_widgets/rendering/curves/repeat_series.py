"""The runs of a repeat as a chart draws them: their median and their range at each epoch's end."""

from __future__ import annotations

import numpy as np

from mnist_widgets.rendering.captions import is_accuracy
from mnist_widgets.rendering.curves.curves import NO_POINTS
from mnist_widgets.rendering.curves.series import MAX_POINTS, Points, downsample, pick_drawable
from mnist_widgets.runs.repeats import Repeat
from mnist_widgets.training.history import History

MIN_RUNS = 2
"""Finished runs from which on there is a range to draw."""


class RepeatSeries:
    """The median and the range of one metric of the finished runs of a repeat.

    Args:
        repeat: another thread may add runs to it.
        name: of the metric.
        is_log: whether it is drawn on a logarithmic scale.
        max_points: of each line.

    Attributes:
        repeat: what it reads.
        main: the medians, at the last batches of the epochs.
        low, high: the least and the greatest values.
    """

    def __init__(
        self, repeat: Repeat, name: str, is_log: bool = False, max_points: int = MAX_POINTS
    ) -> None:
        self.repeat, self._name = repeat, name
        self._is_log, self._max_points = is_log, max_points
        self._num_read = -1
        self.update()

    def update(self) -> None:
        """Read the finished runs if there are more."""
        repeat, num_finished = self.repeat, len(self.repeat.histories)
        if self._num_read == num_finished:
            return
        self._num_read = num_finished
        self.main = self.low = self.high = NO_POINTS
        spread = repeat.find_spread(self._name)
        if spread is None or num_finished < MIN_RUNS:
            return
        ends = np.array(repeat.histories[0].epoch_ends[: repeat.epochs], dtype=float)
        scale = 100 if is_accuracy(self._name) else 1
        self.low, self.main, self.high = (
            downsample(pick_drawable(ends, scale * values, self._is_log), self._max_points)
            for values in spread
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is no range to draw."""
        return not len(self.main[0])

    @property
    def lines(self) -> list[Points]:
        """The three lines; none of them empty."""
        return [line for line in (self.main, self.low, self.high) if len(line[0])]

    @property
    def outline(self) -> Points:
        """The corners of the range: along the least values, then back along the greatest."""
        low, high = self.low, self.high
        if not len(low[0]) or not len(high[0]):
            return NO_POINTS
        positions = np.concatenate([low[0], high[0][::-1], low[0][:1]])
        return positions, np.concatenate([low[1], high[1][::-1], low[1][:1]])


def name_single(repeat: Repeat, history: History) -> str:
    """Return the name of a run that is shown beside its repeat, such as `seed 4 alone`."""
    return f"seed {repeat.find_seed(history)} alone"


def count_seeds(repeat: Repeat) -> str:
    """Return how many runs have finished, such as `3 of 5 seeds`, or `5 seeds` at the end."""
    num_all, num_finished = len(repeat.seeds), len(repeat.histories)
    return f"{num_all} seeds" if repeat.is_complete else f"{num_finished} of {num_all} seeds"
