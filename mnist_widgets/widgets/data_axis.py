"""An axis for data that grows: its numbers change, its scale never does.

A bqplot mark whose scale changes while the page still builds it stays wrong for good, and each
change of a scale has all its marks drawn once more. So the marks of a live chart are drawn on
scales from 0 to 1, at the places that these axes give them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from bqplot import Axis, LinearScale

from mnist_widgets.curves import Numbers, linear_ticks, log_ticks


class DataAxis:
    """A bottom or left side of a chart, and the places along it.

    Args:
        label: names the numbers.
        format_tick: writes one of them beside its tick.
        margin: the share of the side that is left free at each end, so that dots there are whole;
            above 0.
        style: further traits of the bqplot axis.

    Attributes:
        scale: for the marks.
        axis: for the figure.
        ends: the least and the greatest number of the side, and whether it is logarithmic.
    """

    def __init__(
        self, label: str, format_tick: Callable[[float], str], margin: float, **style: str
    ) -> None:
        self.scale = LinearScale(min=0, max=1, allow_padding=False)
        self.axis = Axis(scale=self.scale, label=label, **style)
        self._format_tick, self._margin = format_tick, margin
        self._labels: dict[str, str] = {}
        self._last_digit = 1
        self.ends = (0.0, 0.0, False)
        self.show(0.0, 1.0)

    def show(self, low: float, high: float, *, is_log: bool = False) -> None:
        """Let the side reach from `low` to `high`; the marks must then be given new places.

        Args:
            low: above 0 on a logarithmic side.
            high: above `low`.
            is_log: whether equal distances are equal ratios.
        """
        if self.ends == (low, high, is_log):
            return
        self.ends = (low, high, is_log)
        ticks = log_ticks(low, high) if is_log else linear_ticks(low, high)
        # A browser writes numbers of so few digits as Python does. The last digit makes the ticks
        # of two updates differ: bqplot moves ticks a little later than it labels them, and would
        # write the old labels once more on ticks that stay.
        self._last_digit = 3 - self._last_digit
        places = (self.place(ticks).round(4) + self._last_digit * 1e-5).round(5)
        before, self._labels = (
            self._labels,
            {
                f"{place:.5f}": self._format_tick(tick)
                for place, tick in zip(places, ticks, strict=True)
            },
        )
        self.axis.tick_labels = before | self._labels  # first: the ticks are written with them
        self.axis.tick_values = places

    def place(self, values: Numbers) -> Numbers:
        """Return where numbers lie on the side: 0 is its beginning, 1 its end.

        Args:
            values: of any shape, finite; above 0 on a logarithmic side.
        """
        low, high, is_log = self.ends
        if is_log:
            values, low, high = np.log(values), np.log(low), np.log(high)
        return self._margin + (1 - 2 * self._margin) * (values - low) / (high - low)
