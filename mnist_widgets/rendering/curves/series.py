"""Series of values, smoothed and downsampled while they grow.

So a redraw reads new batches only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
Points: TypeAlias = tuple[Numbers, Numbers]
"""Positions (M,), ascending, and values (M,)."""

DEFAULT_SMOOTHING = 0.8
MAX_POINTS = 400
"""Points of one line. Without a GPU, a page needs 28 to 34 ms of CPU time to redraw two lines of
700 points, and 17 ms for half as many; a training on the same CPUs pays for it."""


class Series:
    """Values and their smoothed line, downsampled while they grow.

    The smoothed line is an exponential moving average. It is corrected for its start as in
    TensorBoard: the first average is the first value.

    The time that `extend` takes depends only on the number of new values. Beyond `max_points` the
    values are divided into stretches of equal length. Only the least and the greatest value of each
    stretch are kept, at their positions. When there are too many stretches, every two are merged.
    So no peak is lost, and the last value is always kept.

    Args:
        max_points: of each line; at least 16.
        smoothing: weight of the past in each average, from 0 (no smoothing) to below 1.

    Raises:
        ValueError: if `smoothing` lies outside [0, 1).
    """

    def __init__(self, max_points: int = MAX_POINTS, smoothing: float = 0) -> None:
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing must be at least 0 and below 1, not {smoothing!r}")
        self._smoothing = smoothing
        self._average = 0.0  # the last one, not corrected for its start
        self._num_values = 0
        self._max_stretches = (max_points - _MOST_OTHER_POINTS) // 4 * 2  # even, of 2 points each
        self._stretch_length = 2  # both points of a stretch of 2 stay: nothing is lost yet
        # axes: positions and values; the values and their smoothed line; points
        self._kept = np.zeros((2, 2, 0))
        self._tail = np.zeros((2, 2, 0))  # points that do not fill a stretch yet
        self._last = np.zeros((2, 2, 0))

    def extend(self, positions: Numbers, values: Numbers) -> None:
        """Append values (K,), finite, at positions (K,), ascending."""
        if not len(values):
            return
        lines = np.stack([values, self._smooth(values)])
        points = np.stack([np.broadcast_to(positions, lines.shape), lines])
        self._tail = np.concatenate([self._tail, points], axis=2)
        self._last = np.concatenate([self._last, points], axis=2)[..., -1:]
        while (num_whole := self._tail.shape[2] // self._stretch_length) > 0:
            num_free = self._max_stretches - self._kept.shape[2] // 2
            length = min(num_whole, num_free) * self._stretch_length
            whole, self._tail = self._tail[..., :length], self._tail[..., length:]
            kept = _keep_extremes(whole, self._stretch_length)
            self._kept = np.concatenate([self._kept, kept], axis=2)
            if self._kept.shape[2] // 2 == self._max_stretches:
                self._kept = _keep_extremes(self._kept, 4)
                self._stretch_length *= 2

    def _smooth(self, values: Numbers) -> Numbers:
        """Return the averages (K,) of the next values (K,)."""
        if not self._smoothing:
            return values
        import pandas as pd  # a second to import, and training alone draws nothing

        row = pd.Series(np.concatenate([[self._average], values]))
        averages = row.ewm(alpha=1 - self._smoothing, adjust=False).mean().to_numpy()
        numbers = np.arange(self._num_values + 1, self._num_values + len(averages))
        self._average, self._num_values = averages[-1], self._num_values + len(values)
        corrected: Numbers = averages[1:] / (1 - self._smoothing**numbers)
        return corrected

    @property
    def lines(self) -> Points:
        """Positions (2, M) and values (2, M): first the values, then their smoothed line."""
        parts = [self._kept, self._tail]
        if self._stretch_length > 2:
            if (length := self._tail.shape[2]) > 2:
                parts[1] = _keep_extremes(self._tail, length)
            parts.append(self._last)
        positions, values = np.concatenate(parts, axis=2)
        return positions, values


_MOST_OTHER_POINTS = 3
"""The extremes of the unfinished stretch, and the last point."""


def _keep_extremes(points: Numbers, length: int) -> Numbers:
    """Keep the points with the least and the greatest value of each stretch, in their order.

    Args:
        points: (2, R, N), positions and values of R lines; N is a multiple of `length`.
        length: points in a stretch.

    Returns:
        (2, R, 2 * N / length).
    """
    stretches = points.reshape(*points.shape[:2], -1, length)
    values = stretches[1]
    # the first of several least values, the last of several greatest: two equal points both stay
    least = values.argmin(axis=2)
    greatest = length - 1 - values[..., ::-1].argmax(axis=2)
    chosen = np.sort(np.stack([least, greatest], axis=2), axis=2)
    kept = np.take_along_axis(stretches, chosen[np.newaxis], axis=3)
    return kept.reshape(*points.shape[:2], -1)


def downsample(points: Points, max_points: int = MAX_POINTS) -> Points:
    """Return a line of at most `max_points` points, as a `Series` keeps them.

    Args:
        points: positions (N,) and values (N,), finite.
        max_points: at least 16.
    """
    series = Series(max_points)
    series.extend(*points)
    positions, values = series.lines
    return positions[0], values[0]


def smooth_at(batch: int, losses: Sequence[float], smoothing: float) -> float:
    """Return the smoothed loss at a batch; NaN if no loss that counts is a number.

    Args:
        batch: its number, from 1.
        losses: of all batches. It reads the last ones until `batch`, as many as change the result
            by more than 0.01 %.
        smoothing: strength, from 0 to below 1.
    """
    num_read = math.ceil(math.log(1e-4) / math.log(smoothing)) if smoothing else 1
    read = np.array(losses[max(batch - num_read, 0) : batch], dtype=float)
    weights = smoothing ** np.arange(len(read), dtype=float)[::-1]
    is_number = np.isfinite(read)
    if not weights[is_number].any():
        return math.nan
    return float(np.average(read[is_number], weights=weights[is_number]))


def pick_drawable(positions: Numbers, values: Sequence[float] | Numbers, is_log: bool) -> Points:
    """Return the points that a scale can show: finite ones, above 0 on a logarithmic scale.

    The lists may differ in length: a training may append to one of them at the same time.
    """
    num_points = min(len(positions), len(values))
    positions, numbers = positions[:num_points], np.array(values[:num_points], dtype=float)
    is_drawable = np.isfinite(numbers) & ((numbers > 0) | (not is_log))
    return positions[is_drawable], numbers[is_drawable]
