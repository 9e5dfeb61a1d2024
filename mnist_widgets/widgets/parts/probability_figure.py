"""The chart of one image's probabilities: a bar for each class, and a frame for the true one."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from bqplot import Axis, Bars, Label, LinearScale, OrdinalScale
from ipywidgets import HTML

from mnist_widgets.data.digit_set import DIGIT_NAMES
from mnist_widgets.widgets.parts.figures import TEXT_STYLE, build_figure, class_axis
from mnist_widgets.widgets.parts.image_grid import Answer


class ProbabilityFigure:
    """Bars of probabilities.

    Args:
        names: the names of the C classes.

    Attributes:
        figure: the widget.
        bars: a bar for each class; `y` holds the probabilities.
        tooltip: what the tooltip shows, as HTML.
        frame, frame_title: stand around and above the bar of the true class; `x` is a list of its
            name.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        classes, share = OrdinalScale(domain=list(names)), LinearScale(min=0, max=1)
        scales = {"x": classes, "y": share}
        bars: dict[str, Any] = {"scales": scales, "padding": 0.25, "interactions": {}}
        all_names, all_ones = list(names), np.ones(len(names))
        color = ["var(--mw-strong)"]
        self.bars = Bars(x=all_names, y=0 * all_ones, colors=color, **bars)
        # A bar may be too small for the mouse, so its whole column shows the tooltip.
        self.tooltip = HTML()
        columns = Bars(
            x=all_names,
            y=all_ones,
            scales=scales,
            colors=["transparent"],
            padding=0,
            tooltip=self.tooltip,
            tooltip_style={"opacity": 1, "color": "var(--jp-content-font-color1)"},
        )
        place: dict[str, Any] = {"x": all_names[:1], "y": np.ones(1), "visible": False}
        self.frame = Bars(colors=["transparent"], stroke="var(--mw-text)", **place, **bars)
        self.frame_title = Label(
            text=["true"],
            scales=scales,
            y_offset=-9,
            apply_clip=False,  # it stands above the plot
            **place,
            **TEXT_STYLE,
        )
        axis, bottom = class_axis(classes, names, "Digit" if names == DIGIT_NAMES else "Class")
        share_axis = Axis(
            scale=share,
            label="Probability",
            side="left",
            tick_format=".0%",
            tick_values=np.linspace(0, 1, 5),
            label_offset="46px",
        )
        self.figure = build_figure(
            [self.frame, self.bars, self.frame_title, columns],
            [axis, share_axis],
            {"top": 22, "bottom": bottom, "left": 66, "right": 12},
            110 + bottom,
        )
        self.figure.layout.flex, self.figure.layout.min_width = "1 1 200px", "0"

    def show(self, answer: Answer | None) -> None:
        """Show the probabilities, with a frame around a known true class; no bars for None."""
        shares = [0.0] * len(self._names) if answer is None else answer.probabilities.tolist()
        self.bars.y = np.array(shares)
        self.tooltip.value = "" if answer is None else _format_values(self._names, shares)
        label = None if answer is None else answer.true_label
        for mark in (self.frame, self.frame_title):
            with mark.hold_sync():
                mark.visible = label is not None
                if label is not None:
                    mark.x = [self._names[label]]


def _format_values(class_names: Sequence[str], shares: Sequence[float]) -> str:
    """Return the content of the tooltip: a percentage for each class."""
    width = max(map(len, class_names))
    rows = "\n".join(
        f"{html.escape(f'{name:>{width}}')} {100 * share:6.2f} %"
        for name, share in zip(class_names, shares, strict=True)
    )
    return f'<pre class="mw-values">{rows}</pre>'
