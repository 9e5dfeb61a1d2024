"""The base class of panels with a chart: caption, table of numbers, and files to save."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ipywidgets import HTML, HBox, VBox, Widget

from mnist_widgets.rendering.chart_data import write_html
from mnist_widgets.session.open_sessions import is_training
from mnist_widgets.widgets.panel import Panel, heading
from mnist_widgets.widgets.parts.chart_footer import ChartFooter
from mnist_widgets.widgets.parts.controls import ROW
from mnist_widgets.widgets.redraws import scheduler

if TYPE_CHECKING:
    import pandas as pd


class ChartPanel(Panel):
    """A row of controls, a chart with its footer, and what else stands below.

    The footer holds the chart's caption, and shows or saves its numbers.

    Args:
        css_class: as for `Panel`.
        name: of the chart, for screen readers and file names.
        controls: side by side above the chart.
        chart: the widget that draws it.
        below: further widgets, from top to bottom.
    """

    def __init__(
        self,
        css_class: str,
        name: str,
        controls: Sequence[Widget],
        chart: Widget,
        below: Sequence[Widget] = (),
    ) -> None:
        self._heading: HTML | None = None  # in the row of controls
        self._footer = ChartFooter(name, self._write_file)
        self._footer.observe(lambda _change: self.schedule_redraw(urgent=True), "shows_data")
        self._controls = HBox(controls, layout=ROW).add_class("mw-controls")
        box = VBox([chart, self._footer]).add_class("mw-chart")
        super().__init__(css_class, [self._controls, box, *below])

    @abstractmethod
    def to_png(self) -> bytes:
        """Return a picture of the chart as a PNG, dark on white."""

    @abstractmethod
    def to_dataframe(self) -> pd.DataFrame:
        """Return the numbers that the chart shows."""

    def to_csv(self) -> str:
        """Return the numbers that the chart shows as comma-separated values."""
        return self.to_dataframe().to_csv()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the chart: to a `.png` file as a picture, to a `.csv` file as numbers.

        Raises:
            ValueError: if the file has another ending.
        """
        ending = Path(path).suffix.lower().removeprefix(".")
        if ending not in ("png", "csv"):
            raise ValueError(f"The file must end in .png or .csv, but it is {str(path)!r}.")
        Path(path).write_bytes(self._write_file(ending))

    def show_heading(self, title: str, *, is_hidden: bool = False) -> None:
        """Show a heading at the start of the row of controls."""
        if is_hidden:
            super().show_heading(title, is_hidden=True)
            return
        self._heading = heading(title)
        self._controls.children = (self._heading, *self._controls.children)

    def mark_static_view_stale(self) -> None:
        """Note that the static view must be written again; update the table and the speech."""
        super().mark_static_view_stale()
        self._update_speech()  # here, because the page writes the captions of some charts
        self._footer.table = self._write_table() if self._footer.shows_data else ""

    def _show_caption(self, words: str, *, is_news: bool = True) -> None:
        """Show a caption.

        Args:
            words: the caption.
            is_news: whether it is read aloud if it is new, once nothing trains.
        """
        with self._footer.hold_sync():
            self._footer.caption = words
            self._footer.topic = words if is_news else ""

    def _update_speech(self) -> None:
        """Let the captions be read aloud only while nothing trains."""
        self._footer.may_speak = not is_training()
        if not self._footer.may_speak:
            scheduler.schedule(self._update_speech)  # the end of a training redraws no chart

    def _write_table(self) -> str:
        """Return the table that the page shows, as HTML; called for each frame while it is open."""
        return write_html(self.to_dataframe(), self._table_caption)

    @property
    def _table_caption(self) -> str:
        """What the table holds, in a few words."""
        return ""

    def _write_file(self, ending: str) -> bytes:
        return self.to_png() if ending == "png" else self.to_csv().encode()
