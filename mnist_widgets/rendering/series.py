"""Series of losses and the axes they are drawn on, for the live chart and for the PNG.

A series is smoothed and downsampled while it grows, so that a redraw reads new batches only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mnist_widgets.training.history import History

Numbers: TypeAlias = NDArray[np.float64]
Points: TypeAlias = tuple[Numbers, Numbers]
"""Positions (M,), ascending, and values (M,)."""

DEFAULT_SMOOTHING = 0.8
MAX_POINTS = 400
"""Points of one line. Without a GPU, a page needs 28 to 34 ms of CPU time to redraw two lines of
700 points, and 17 ms for half as many; a training on the same CPUs pays for it."""
EARLIER_RUNS_FACTOR = 2
"""How far a linear axis extends for earlier runs, in multiples of the present run's greatest loss.

Otherwise one run that diverged would flatten all others.
"""


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


def downsample(points: Points, max_points: int = MAX_POINTS, smoothing: float = 0) -> Points:
    """Return a smoothed line of at most `max_points` points, as a `Series` keeps them.

    Args:
        points: positions (N,) and values (N,), finite.
        max_points: at least 16.
        smoothing: strength, from 0 to below 1.
    """
    series = Series(max_points, smoothing)
    series.extend(*points)
    positions, values = series.lines
    return positions[1], values[1]


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


class LossSeries:
    """The points that a loss chart draws of a history; an update reads only the new batches.

    Args:
        history: another thread may append to it.
        smoothing: strength, from 0 to below 1.
        is_log: whether the losses are drawn on a logarithmic scale.
        max_points: of each line.

    Attributes:
        history: the history read last.
        num_batches: the number of batches read so far.
        first_bad_batch: the first of them whose loss is no number, counted from 1, or None.
        means: the mean loss of each epoch, at its last batch.
        test_losses: the test loss of each epoch, at its last batch.
    """

    def __init__(
        self,
        history: History,
        smoothing: float = DEFAULT_SMOOTHING,
        is_log: bool = False,
        max_points: int = MAX_POINTS,
    ) -> None:
        self.history, self.num_batches = history, 0
        self._max_points, self._settings = max_points, (math.nan, False)
        self.update(history, smoothing, is_log)

    def update(self, history: History, smoothing: float, is_log: bool) -> None:
        """Read the new batches; read all if history or settings are new, or the history shrank."""
        settings = (smoothing, is_log)
        is_known = self._settings == settings and self.history is history
        if not is_known or len(history.batch_losses) < self.num_batches:
            self.history, self._settings = history, settings
            self._batches, self.num_batches = Series(self._max_points, smoothing), 0
            self.first_bad_batch: int | None = None
        epoch_ends = np.array(history.epoch_ends, dtype=float)  # read first: written last
        new = np.array(history.batch_losses[self.num_batches :], dtype=float)
        is_bad = ~np.isfinite(new)
        if self.first_bad_batch is None and is_bad.any():
            self.first_bad_batch = self.num_batches + int(is_bad.argmax()) + 1
        positions = np.arange(self.num_batches + 1.0, self.num_batches + len(new) + 1)
        self._batches.extend(*pick_drawable(positions, new, is_log))
        self.num_batches += len(new)
        self.means, self.test_losses = (
            downsample(pick_drawable(epoch_ends, history.get(name, []), is_log))
            for name in ("train", "test_loss")
        )

    @property
    def batches(self) -> Points:
        """Positions (2, M) and losses (2, M): first of each batch, then of the smoothed line."""
        return self._batches.lines

    def choose_axes(self, earlier_runs: Sequence[Points] = ()) -> tuple[AxisRange, AxisRange]:
        """Return the range of batches and the range of losses that a chart shows.

        Args:
            earlier_runs: further lines to show, none of them empty.
        """
        losses = np.concatenate([self.batches[1][0], self.test_losses[1]])
        all_losses = np.concatenate([losses, *(values for _, values in earlier_runs)])
        low, high = (all_losses.min(), all_losses.max()) if len(all_losses) else (1.0, 1.0)
        last = max([10, self.num_batches, *(positions[-1] for positions, _ in earlier_runs)])
        x_range = AxisRange(0.0, nice_limit(last))
        if self._settings[1]:
            low = nice_limit(max(low * 0.9, 1e-300), upwards=False)
            return x_range, AxisRange(low, nice_limit(high * 1.1), is_log=True)
        if len(losses) and losses.max() > 0:
            high = min(high, EARLIER_RUNS_FACTOR * losses.max())
        return x_range, AxisRange(min(low, 0.0), nice_limit(high))


class AxisRange(NamedTuple):
    """The numbers that an axis shows.

    Attributes:
        low: above 0 on a logarithmic axis.
        high: above `low`.
        is_log: whether equal distances are equal ratios.
    """

    low: float
    high: float
    is_log: bool = False

    def locate(self, values: Numbers) -> Numbers:
        """Return the positions of values of any shape: 0 is the axis' start, 1 its end."""
        low, high = self.low, self.high
        if self.is_log:
            values, low, high = np.log(values), math.log(low), math.log(high)
        return (values - low) / (high - low)

    @property
    def ticks(self) -> Numbers:
        """Round numbers to write beside the axis."""
        low, high = self.low, self.high
        if self.is_log:  # 1, 2 and 5 times a power of ten
            exponents = np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            ticks = np.outer(10.0**exponents, [1.0, 2.0, 5.0]).ravel()
            return ticks[(ticks >= low) & (ticks <= high)]
        power = 10.0 ** math.floor(math.log10(high - low))
        step = power * next(step for step in (0.2, 0.5, 1, 2) if (high - low) / (step * power) <= 7)
        first, last = math.ceil(low / step), math.floor(high / step + 1e-9)
        return np.arange(first, last + 1, dtype=float) * step


def nice_limit(value: float, *, upwards: bool = True) -> float:
    """Return a round number for an axis to end at.

    It is at or above `value`, or with `upwards=False` at or below it. It has at most two digits, so
    that the axis of a growing series seldom moves.
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    # the tolerance keeps a number that is round already, in spite of rounding errors
    if upwards:
        return power * next(step for step in _STEPS if value <= step * power * (1 + 1e-9))
    return power * max(step for step in _STEPS if step * power <= value * (1 + 1e-9))


_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
