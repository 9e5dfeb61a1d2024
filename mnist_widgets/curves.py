"""Long rows of numbers made fit for drawing: smoothed, thinned out, and put on a scale."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class Smoother:
    """An exponential moving average that goes on where it stopped, corrected for its start.

    The correction is that of TensorBoard: the first average is the first value.

    Args:
        strength: share of the past in each average, from 0 (no smoothing) to below 1.

    Raises:
        ValueError: if `strength` lies outside [0, 1).
    """

    def __init__(self, strength: float) -> None:
        if not 0 <= strength < 1:
            raise ValueError(f"strength must be at least 0 and below 1, not {strength!r}")
        self._strength = strength
        self._last = 0.0  # the average before the correction, which begins at zero
        self._num_values = 0

    def extend(self, values: Numbers) -> Numbers:
        """Return the averages (K,) that belong to the next values (K,)."""
        import pandas as pd  # a second to import, and training alone draws nothing

        row = pd.Series(np.concatenate([[self._last], values]))
        averages = row.ewm(alpha=1 - self._strength, adjust=False).mean().to_numpy()
        numbers = np.arange(self._num_values + 1, self._num_values + len(averages))
        self._last, self._num_values = averages[-1], self._num_values + len(values)
        corrected: Numbers = averages[1:] / (1 - self._strength**numbers)
        return corrected


def smooth(values: Numbers, strength: float) -> Numbers:
    """Return the exponential moving average, corrected for its start as TensorBoard's is.

    Args:
        values: (N,).
        strength: share of the past in each value, from 0 (no smoothing) to below 1.

    Returns:
        (N,), not delayed at the start: the first value stays the first.

    Raises:
        ValueError: if `strength` lies outside [0, 1).
    """
    return Smoother(strength).extend(values)


class GrowingCurve:
    """A row of values and its smoothed line, downsampled while they grow.

    Each `extend` costs what its own values cost, however many there were before. Beyond
    `max_points` the row is cut into stretches, of which the least and the greatest value stay at
    their places; when there are too many stretches, every two become one.

    Args:
        max_points: at least 16.
        smoothing: strength, from 0 to below 1.
    """

    def __init__(self, max_points: int, smoothing: float) -> None:
        self._smoother = Smoother(smoothing)
        self._max_stretches = (max_points - _MOST_OTHER_POINTS) // 4 * 2  # even, of 2 points each
        self._stretch_length = 2  # both points of a stretch of 2 stay: nothing is lost yet
        # axes: positions and values; the row and its smoothed line; points
        self._kept = np.zeros((2, 2, 0))
        self._tail = np.zeros((2, 2, 0))  # points that do not fill a stretch yet
        self._last = np.zeros((2, 2, 0))

    def extend(self, positions: Numbers, values: Numbers) -> None:
        """Append values (K,), finite, at positions (K,), ascending."""
        rows = np.stack([values, self._smoother.extend(values)])
        points = np.stack([np.broadcast_to(positions, rows.shape), rows])
        self._tail = np.concatenate([self._tail, points], axis=2)
        self._last = np.concatenate([self._last, points], axis=2)[..., -1:]
        while (num_whole := self._tail.shape[2] // self._stretch_length) > 0:
            room = self._max_stretches - self._kept.shape[2] // 2
            length = min(num_whole, room) * self._stretch_length
            whole, self._tail = self._tail[..., :length], self._tail[..., length:]
            kept = _keep_extremes(whole, self._stretch_length)
            self._kept = np.concatenate([self._kept, kept], axis=2)
            if self._kept.shape[2] // 2 == self._max_stretches:
                self._kept = _keep_extremes(self._kept, 4)
                self._stretch_length *= 2

    @property
    def points(self) -> tuple[Numbers, Numbers]:
        """Positions (2, M) and values (2, M): first those of the row, then of its smoothed line.

        The last value is always among them.
        """
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
    """Keep of each stretch the points with the least and the greatest value, in their order.

    Args:
        points: (2, R, N), positions and values of R rows; N is a multiple of `length`.
        length: points in a stretch.

    Returns:
        (2, R, 2 * N / length).
    """
    stretches = points.reshape(*points.shape[:2], -1, length)
    values = stretches[1]
    # the first of equal values and the last: of two points both stay
    least = values.argmin(axis=2)
    greatest = length - 1 - values[..., ::-1].argmax(axis=2)
    chosen = np.sort(np.stack([least, greatest], axis=2), axis=2)
    kept = np.take_along_axis(stretches, chosen[np.newaxis], axis=3)
    return kept.reshape(*points.shape[:2], -1)


def thin_out(positions: Numbers, values: Numbers, max_points: int) -> tuple[Numbers, Numbers]:
    """Return at most `max_points` points of a line without losing a peak.

    The row is cut into stretches of equal length, and of each the least and the greatest value stay
    at their places; so does the last value. How many points are left depends on N alone.

    Args:
        positions: (N,), ascending.
        values: (N,), finite.
        max_points: at least 3.

    Returns:
        Positions (M,), ascending, and the values (M,) there.
    """
    num_values = len(values)
    if num_values <= max_points:
        return positions, values
    edges = np.linspace(0, num_values, (max_points - 1) // 2 + 1).astype(int)
    lows, highs = (_find_extremes(values, edges, find) for find in (np.minimum, np.maximum))
    kept = np.sort([*lows, *highs, num_values - 1])
    return positions[kept], values[kept]


def _find_extremes(values: Numbers, edges: NDArray[np.int_], find: np.ufunc) -> NDArray[np.int_]:
    """Return where each stretch between two edges has its extreme value, the first if several.

    All stretches at once: a loop over them would take, ten times a second, the time of a batch from
    the training, which waits meanwhile for Python's lock.
    """
    starts = edges[:-1]
    extremes = np.repeat(find.reduceat(values, starts), np.diff(edges))
    candidates = np.flatnonzero(values == extremes)
    return candidates[np.searchsorted(candidates, starts)]


def round_up(value: float) -> float:
    """Return the next number at or above `value` that makes a calm end of an axis.

    It has at most two digits, so that an axis that follows a growing row stands still for a while.
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    # the slack forgives what a division adds to a number that is round already
    return power * next(step for step in steps if value <= step * power * (1 + 1e-9))


def linear_ticks(low: float, high: float) -> Numbers:
    """Return three to eight round numbers at equal distances from `low` to `high`."""
    power = 10.0 ** math.floor(math.log10(high - low))
    step = next(step for step in (0.2, 0.5, 1, 2) if (high - low) / (step * power) <= 7) * power
    return np.arange(math.ceil(low / step), math.floor(high / step + 1e-9) + 1, dtype=float) * step


def log_ticks(low: float, high: float) -> Numbers:
    """Return the numbers 1, 2 and 5 times a power of ten from `low` to `high`, both above 0."""
    exponents = np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = np.outer(10.0**exponents, [1.0, 2.0, 5.0]).ravel()
    return ticks[(ticks >= low) & (ticks <= high)]
