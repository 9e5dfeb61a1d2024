"""The numbers that the axis of a chart shows, and its ticks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mnist_widgets.rendering.curves.series import Numbers


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
    that the axis of a growing series rarely moves.
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    # the tolerance keeps a number that is round already, in spite of rounding errors
    if upwards:
        return power * next(step for step in _STEPS if value <= step * power * (1 + 1e-9))
    return power * max(step for step in _STEPS if step * power <= value * (1 + 1e-9))


_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
