"""The chart of one image's probabilities: a bar for each class, and a frame for the true one."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from bqplot import Axis, Bars, Figure, LinearScale, OrdinalScale

from mnist_widgets.data.loaders import DIGIT_NAMES
from mnist_widgets.widgets.parts.axes import class_axis
from mnist_widgets.widgets.parts.links import LinkedBars, LinkedHTML, LinkedLabel


class ProbabilityFigure(Figure):
    """Bars of probabilities.

    Args:
        names: the names of the C classes.

    Attributes:
        bars: a bar for each class; `y` holds the probabilities.
        values: what the tooltip shows, as HTML.
        frame, frame_title: stand around and above the bar of the true class; `x` is a list of its
            name.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        classes, share = OrdinalScale(domain=list(names)), LinearScale(min=0, max=1)
        scales = {"x": classes, "y": share}
        noun = "Digit" if names == DIGIT_NAMES else "Class"
        self.bars = LinkedBars(
            x=list(names),
            y=np.zeros(len(names)),
            scales=scales,
            colors=["var(--mw-strong)"],
            padding=0.25,
            interactions={},
        )
        # A bar may be too small to be hit by the mouse, so the values belong to its whole column.
        self.values = LinkedHTML()
        columns = Bars(
            x=list(names),
            y=np.ones(len(names)),
            scales=scales,
            colors=["transparent"],
            padding=0,
            tooltip=self.values,
            tooltip_style={"opacity": 1, "color": "var(--jp-content-font-color1)"},
        )
        self.frame = LinkedBars(
            x=[names[0]],
            y=np.ones(1),
            scales=scales,
            colors=["transparent"],
            stroke="var(--mw-text)",
            padding=0.25,
            visible=False,
            interactions={},
        )
        self.frame_title = LinkedLabel(
            x=[names[0]],
            y=np.ones(1),
            text=["true"],
            scales=scales,
            colors=["var(--mw-text)"],
            default_size=11,
            font_weight="normal",
            align="middle",
            y_offset=-9,
            apply_clip=False,  # it stands above the plot
            visible=False,
        )
        axis, bottom = class_axis(classes, names, noun)
        share_axis = Axis(
            scale=share,
            label="Probability",
            side="left",
            tick_format=".0%",
            tick_values=np.linspace(0, 1, 5),
            label_offset="46px",
        )
        super().__init__(
            marks=[self.frame, self.bars, self.frame_title, columns],
            axes=[axis, share_axis],
            fig_margin={"top": 22, "bottom": bottom, "left": 66, "right": 12},
            layout={
                "width": "auto",
                "height": f"{188 + bottom}px",
                "margin": "0",
                "flex": "1 1 230px",
            },
            animation_duration=0,
            display_toolbar=False,
        )

    def show(self, probabilities: Sequence[float], true_label: int | None) -> None:
        """Show probabilities (C,), and a frame around the true class if it is known."""
        self.bars.y = np.array(probabilities)
        self.values.value = _format_values(self._names, probabilities)
        self._frame_class(true_label)

    def clear(self) -> None:
        """Show no bars."""
        self.bars.y = np.zeros(len(self._names))
        self.values.value = ""
        self._frame_class(None)

    def _frame_class(self, label: int | None) -> None:
        for mark in (self.frame, self.frame_title):
            with mark.hold_sync():
                mark.visible = label is not None
                if label is not None:
                    mark.x = [self._names[label]]


def _format_values(class_names: Sequence[str], shares: Sequence[float]) -> str:
    """Return what the mouse over the chart shows: a percentage for each class."""
    width = max(map(len, class_names))
    rows = "\n".join(
        f"{html.escape(f'{name:>{width}}')} {100 * share:6.2f} %"
        for name, share in zip(class_names, shares, strict=True)
    )
    return f'<pre class="mw-values">{rows}</pre>'
