"""An axis of classes below a chart, with room for long names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bqplot import Axis, OrdinalScale

_CHARACTER_WIDTH_PX = 6.5
_SHORT_PX = 20  # names up to this width fit side by side
_HEIGHT_PX = 42


class ClassAxis(NamedTuple):
    """An axis, and its height below the chart."""

    axis: Axis
    height_px: int


def widest_px(names: Sequence[str]) -> float:
    """Return about the width of the longest name, in pixels."""
    return _CHARACTER_WIDTH_PX * max(len(name) for name in names)


def class_axis(scale: OrdinalScale, names: Sequence[str], label: str = "") -> ClassAxis:
    """Return an axis whose ticks are the names, slanted if they are long.

    Args:
        scale: of the classes.
        names: of the classes.
        label: of the axis.
    """
    axis = Axis(scale=scale, label=label, grid_lines="none", label_offset="32px")
    width_px = widest_px(names)
    if width_px <= _SHORT_PX:
        return ClassAxis(axis, _HEIGHT_PX)
    height_px = _HEIGHT_PX + round(0.64 * width_px)
    axis.tick_rotate = -40
    axis.tick_style = {"text-anchor": "end"}
    axis.label_offset = f"{height_px - 14}px"
    return ClassAxis(axis, height_px)
