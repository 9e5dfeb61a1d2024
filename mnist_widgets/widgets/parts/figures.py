"""What all charts have in common: a bqplot figure without toolbar and animation, and its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bqplot import Axis, Figure, Mark

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
