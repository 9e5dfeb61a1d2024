"""Long rows of numbers made fit for drawing: smoothed, thinned out, and put on a scale."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


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
    import pandas as pd  # a second to import, and whoever only trains draws nothing

    if not 0 <= strength < 1:
        raise ValueError(f"strength must be at least 0 and below 1, not {strength!r}")
    averages: Numbers = pd.Series(values, dtype=float).ewm(alpha=1 - strength).mean().to_numpy()
    return averages.copy()


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
