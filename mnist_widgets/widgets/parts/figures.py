"""Figures without toolbar and animation, with axes for growing data and for classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bqplot import Axis, Figure, LinearScale, Mark, OrdinalScale

from mnist_widgets.rendering.curves.axes import AxisRange
from mnist_widgets.rendering.curves.series import Numbers

_CHARACTER_WIDTH_PX = 6.5
_SHORT_PX = 20  # wider names are slanted
_GAP_PX = 6  # between names side by side
_LINE_PX = 16  # along the axis, of a slanted name
_PLOT_PX = 400  # about as wide as the axis of a chart
_MAX_CHARACTERS = 16  # of a name on an axis
_HEIGHT_PX = 37  # of an axis with short names


TEXT_STYLE = {
    "colors": ["var(--mw-text)"],
    "default_size": 11,
    "font_weight": "normal",
    "align": "middle",
}
"""The style of a `Label` mark."""


def build_figure(
    marks: Sequence[Mark],
    axes: Sequence[Axis],
    fig_margin: Mapping[str, int],
    height_px: int,
    **options: object,
) -> Figure:
    """Return a figure as wide as its panel.

    Args:
        marks: from back to front.
        axes: of the marks.
        fig_margin: the room around the plot, in pixels.
        height_px: with the margins.
        options: further traits of the figure.
    """
    return Figure(
        marks=marks,
        axes=axes,
        fig_margin=fig_margin,
        layout={"width": "auto", "height": f"{height_px}px", "margin": "0"},
        animation_duration=0,
        display_toolbar=False,
        **options,
    )


class DataAxis:
    """The bottom or the left axis of a chart, and the positions along it.

    Its numbers change, its scale never does. A bqplot mark whose scale changes while the page still
    builds it stays wrong, and each change of a scale redraws all its marks. So the marks
    of a live chart are drawn on scales from 0 to 1, at the positions that this axis computes.

    Args:
        label: names the numbers.
        format_tick: writes one of them beside its tick.
        margin: the share of the axis that stays free at each end, so that dots there are not cut
            off; above 0.
        style: further traits of the bqplot axis.

    Attributes:
        scale: for the marks.
        axis: for the figure.
        range: the numbers that the axis shows.
    """

    def __init__(
        self, label: str, format_tick: Callable[[float], str], margin: float, **style: str
    ) -> None:
        self.scale = LinearScale(min=0, max=1, allow_padding=False)
        self.axis = Axis(scale=self.scale, label=label, **style)
        self._format_tick, self._margin = format_tick, margin
        self._labels: dict[str, str] = {}
        self._last_digit = 1
        self.range = AxisRange(0.0, 0.0)
        self.show(AxisRange(0.0, 1.0))

    def show(self, new_range: AxisRange) -> None:
        """Show these numbers; call `place` again for the marks afterwards."""
        if self.range == new_range:
            return
        self.range = new_range
        ticks = new_range.ticks
        # The keys of the labels must be the numbers of the ticks as the browser writes them, which
        # it does like Python for so few digits. The last digit alternates, so that no tick stays at
        # its position: bqplot moves ticks a little later than it labels them, and would write the
        # old labels again on ticks that stay.
        self._last_digit = 3 - self._last_digit
        positions = (self.place(ticks).round(4) + self._last_digit * 1e-5).round(5)
        before = self._labels
        self._labels = {
            f"{position:.5f}": self._format_tick(tick)
            for position, tick in zip(positions, ticks, strict=True)
        }
        # The labels first, in their own message: bqplot draws ticks with the labels that it has
        # when their positions arrive, and takes the positions first if both are in one message.
        self.axis.tick_labels = before | self._labels
        self.axis.tick_values = positions

    def place(self, values: Numbers) -> Numbers:
        """Return the positions of numbers on the axis: 0 is its start, 1 its end.

        Args:
            values: of any shape, finite; above 0 on a logarithmic axis.
        """
        return self._margin + (1 - 2 * self._margin) * self.range.locate(values)


def widest_px(names: Sequence[str]) -> float:
    """Return the approximate width of the longest name, in pixels."""
    return _CHARACTER_WIDTH_PX * max(len(name) for name in names)


def label_ticks(names: Sequence[str]) -> dict[str, str]:
    """Return what an axis writes for each name: the name, without its middle if it is long."""
    half = _MAX_CHARACTERS // 2
    return {
        name: name
        if len(name) <= _MAX_CHARACTERS
        else f"{name[:half].rstrip()}\N{HORIZONTAL ELLIPSIS}{name[1 - half :].lstrip()}"
        for name in names
    }


def class_axis(scale: OrdinalScale, names: Sequence[str], label: str = "") -> tuple[Axis, int]:
    """Return an axis whose ticks are the names, slanted if they are long or many; and its height.

    Args:
        scale: of the classes.
        names: of the classes; a long one is shortened.
        label: of the axis.

    Returns:
        The axis, and its height in pixels.
    """
    labels = label_ticks(names)
    axis = Axis(
        scale=scale, label=label, tick_labels=labels, grid_lines="none", label_offset="32px"
    )
    width_px = widest_px([*labels.values()])
    if width_px <= _SHORT_PX and (width_px + _GAP_PX) * len(names) <= _PLOT_PX:
        return axis, _HEIGHT_PX
    height_px = _HEIGHT_PX + 5 + round(0.64 * width_px)
    axis.tick_rotate = -40
    axis.tick_style = {"text-anchor": "end"}
    if len(names) * _LINE_PX > _PLOT_PX:
        axis.tick_style = {"text-anchor": "end", "font-size": "9px"}
    axis.label_offset = f"{height_px - 14}px"
    return axis, height_px
