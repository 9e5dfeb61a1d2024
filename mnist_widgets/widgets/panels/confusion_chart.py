"""The confusion matrix as coloured numbers, with cells to select and a table of measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from bqplot import Axis, ColorScale, Figure, GridHeatMap, Label, OrdinalScale
from ipywidgets import HBox
from torch import Tensor

from mnist_widgets.data.digit_set import DIGIT_NAMES, check_class_names
from mnist_widgets.data.tensors import ArrayLike, to_class_names, to_counts
from mnist_widgets.rendering.captions import to_html
from mnist_widgets.rendering.chart_data import tabulate_confusion
from mnist_widgets.rendering.chart_sentences import describe_confusion
from mnist_widgets.rendering.confusion_captions import (
    DIAGONAL_STRENGTH,
    Pair,
    color_cells,
    describe_colors,
    describe_pair,
    write_cells,
)
from mnist_widgets.rendering.palette import LIGHT
from mnist_widgets.rendering.png_charts import MOST_NUMBERED, draw_confusion, draw_words
from mnist_widgets.rendering.static_views import StaticView, render_confusion, tabulate_counts
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.reports import EpochReport
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.widgets.chart_panel import ChartPanel
from mnist_widgets.widgets.panel import text_line
from mnist_widgets.widgets.parts.choices import PairSelection
from mnist_widgets.widgets.parts.confusion_controls import CellSettings, PairLists
from mnist_widgets.widgets.parts.controls import ROW
from mnist_widgets.widgets.parts.figures import (
    TEXT_STYLE,
    build_figure,
    class_axis,
    label_ticks,
    widest_px,
)

if TYPE_CHECKING:
    import pandas as pd

_RAMP = [LIGHT[name] for name in ("diagonal", "no-cell", "cell")]
_OUTLINE = {
    "stroke": "var(--mw-text)",
    "stroke-width": "3px",
    # inside its own cell: the neighbours would cover half of it
    "transform": "scale(0.9)",
    "transform-box": "fill-box",
    "transform-origin": "center",
}
_CELL_HEIGHT_PX = 24
_MOST_CLASSES = 300
"""A browser is slow with more cells."""


class ConfusionChart(ChartPanel, PairSelection, Callback):
    """The confusion matrix as a heat map, with the accuracy below it.

    The button Data opens the counts as a table, with each class's recall and precision. A click on
    a cell, or the two lists below, selects a pair of a true and a predicted class; a
    second click clears the selection. As a callback of a `Trainer` it shows the counts of its
    `Evaluator` after each epoch.

    Example:
        ```python
        chart = ConfusionChart()
        chart.show_counts(evaluator.confusion)
        trainer.callbacks.append(chart)
        chart.observe(lambda change: print(change["new"]), names="selected_pair")
        chart
        ```

    Args:
        class_names: in the order of the labels: strings, or objects that `str` turns into
            names; no two alike; at most 300. With more than 40, the cells have no numbers.
        count: requests new counts, for `show_counts`; a button calls it. Without it there is no
            button.

    Raises:
        ValueError: if there are more than 300 classes.

    Attributes:
        selected_pair: (true, predicted), the classes of the selected cell; None for no cell. A
            trait.
        is_trained: whether the network that was counted has learned something; otherwise new counts
            are not read aloud.
    """

    is_trained = True

    def __init__(
        self,
        class_names: Iterable[object] = DIGIT_NAMES,
        count: Callable[[], None] | None = None,
    ) -> None:
        self._class_names = to_class_names(class_names)
        if len(self._class_names) > _MOST_CLASSES:
            raise ValueError(
                f"There are {len(self._class_names):,} classes; a browser can show the confusion "
                f'matrix of at most {_MOST_CLASSES}. Use hide="confusion" in a dashboard, and '
                "evaluator.confusion for the counts."
            )
        self._noun = "digit" if self._class_names == DIGIT_NAMES else "class"
        self._counts: Tensor | None = None
        self._is_drawn_swapped = False
        self._settings = CellSettings(self._noun, count)
        self._lists = PairLists(self._class_names, self._on_choice)
        self._key = text_line("mw-key-line")
        self._sentence = text_line("mw-cell", flex="1 1 84px")
        lists = HBox([self._lists, self._sentence], layout=ROW)
        super().__init__(
            "mw-confusion-chart",
            "Confusion matrix",
            [self._settings, self._settings.rarer],
            self._build_figure(),
            [self._key, lists],
        )
        self.redraw()
        on_change = partial(self.schedule_redraw, urgent=True)
        for setting in (self._settings.numbers, self._settings.highlights, self._settings.swap):
            setting.observe(on_change, names="value")
        self.observe(on_change, names="selected_pair")

    def show_counts(self, counts: ArrayLike | None) -> None:
        """Show the counts of an evaluation; from any thread.

        Args:
            counts: whole numbers (C, C), `counts[true, predicted]`: a tensor, an array or a list;
                None if nothing was evaluated yet.

        Raises:
            ValueError: if the counts have another shape, are below 0, or are not whole numbers.
        """
        checked = None if counts is None else to_counts(counts, len(self._class_names)).cpu()
        # a copy: the caller may continue to count
        self._counts = checked.clone() if checked is not None and checked.any() else None
        self.schedule_redraw()

    def on_train_begin(self, trainer: Trainer) -> None:
        """Check that the trainer's `Evaluator` has the chart's classes.

        Raises:
            ValueError: if it has others.
        """
        check_class_names(self._class_names, getattr(trainer.evaluator, "batches", None))

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Show the counts of the trainer's `Evaluator`; without one, change nothing."""
        if report.predictions is not None:
            self.show_counts(report.predictions.confusion)

    def on_reset(self, trainer: Trainer) -> None:
        """Empty the chart."""
        self.show_counts(None)

    def to_png(self) -> bytes:
        """Return the matrix with its counts as a PNG, dark on white."""
        counts = self._counts  # once: a reset can remove them meanwhile
        if counts is None:
            return draw_words(describe_confusion(None, self._class_names, self._noun))
        return draw_confusion(counts, self._class_names, self._noun)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each true class: its counts, its recall and its precision."""
        return tabulate_confusion(self._counts, self._class_names)

    def static_view(self) -> StaticView:
        """Return the counts with accuracy, recall and precision; the settings do not matter."""
        return render_confusion(self._counts, self._class_names, self._noun)

    def redraw(self) -> None:
        """Update the widgets from counts and settings; called by the redraw scheduler."""
        counts, pair = self._counts, self.selected_pair
        self._is_drawn_swapped = self._settings.swap.value
        labels = (f"True {self._noun}", f"Predicted {self._noun}")
        self._row_axis.label, self._column_axis.label = (
            labels[::-1] if self._is_drawn_swapped else labels
        )
        self._show_cells(counts)
        self._show_pair(counts, pair)
        words = describe_confusion(counts, self._class_names, self._noun)
        self._show_caption(words, is_news=counts is not None and self.is_trained)
        self.mark_static_view_stale()

    @property
    def _has_numbers(self) -> bool:
        """Whether the cells are large enough for their numbers."""
        return len(self._class_names) <= MOST_NUMBERED

    def _write_table(self) -> str:
        counts = self._counts  # likewise
        if counts is None:
            return super()._write_table()
        return tabulate_counts(counts, self._class_names, self._noun).html

    def _build_figure(self) -> Figure:
        names, size = np.array(self._class_names), len(self._class_names)
        columns = OrdinalScale(domain=list(names))
        rows = OrdinalScale(domain=list(names), reverse=True)
        self._cells = GridHeatMap(
            color=np.zeros((size, size)),
            row=names,
            column=names,
            scales={
                "row": rows,
                "column": columns,
                "color": ColorScale(min=DIAGONAL_STRENGTH, max=1, colors=_RAMP),
            },
            stroke="var(--mw-grid)",
            selected_style=_OUTLINE,
            interactions={},
        )
        self._cells.on_element_click(self._on_cell)
        # the heat map itself can only write the numbers that colour it
        self._texts = Label(
            x=np.tile(names, size) if self._has_numbers else names[:0],
            y=np.repeat(names, size) if self._has_numbers else names[:0],
            text=np.full(size**2 if self._has_numbers else 0, ""),
            scales={"x": columns, "y": rows},
            **TEXT_STYLE,
        )
        labels = label_ticks(self._class_names)
        longest_px = widest_px([*labels.values()])
        self._row_axis = Axis(
            scale=rows,
            side="left",
            tick_labels=labels,
            grid_lines="none",
            label_offset=f"{longest_px + 20:.0f}px",
        )
        self._column_axis, bottom = class_axis(columns, self._class_names)
        return build_figure(
            [self._cells, self._texts],
            [self._column_axis, self._row_axis],
            {"top": 6, "bottom": bottom, "left": round(longest_px + 42), "right": 6},
            _CELL_HEIGHT_PX * min(size, MOST_NUMBERED) + bottom,
            padding_x=0,
            padding_y=0,
        )

    def _show_cells(self, counts: Tensor | None) -> None:
        if counts is None:
            size = len(self._class_names)
            num_texts = size if self._has_numbers else 0
            texts = np.full((num_texts, num_texts), "")
            strengths, key = np.zeros((size, size)), ""
        else:
            numbers, highlights = self._settings.numbers.value, self._settings.highlights.value
            strengths = color_cells(counts, numbers, highlights)
            texts = write_cells(counts, numbers) if self._has_numbers else np.empty((0, 0), str)
            key = _write_key(describe_colors(counts, numbers, highlights))
        if self._is_drawn_swapped:
            strengths, texts = strengths.T.copy(), texts.T
        self._cells.color = strengths
        with self._texts.hold_sync():
            self._texts.text = texts.ravel()
            self._texts.colors = [
                "var(--mw-zero)" if text == "0" else "var(--mw-text)" for text in texts.flat
            ]
        self._key.value = key

    def _show_pair(self, counts: Tensor | None, pair: Pair | None) -> None:
        cell = pair[::-1] if pair and self._is_drawn_swapped else pair
        self._cells.selected = None if cell is None else np.array([cell])
        if counts is None:
            sentence = ""
        elif pair is not None:
            sentence = describe_pair(counts, pair, self._settings.numbers.value, self._noun)
        elif missing := self._lists.missing:
            sentence = f"Choose the {missing} {self._noun} as well."
        else:
            sentence = "Click a cell to see its images."
        self._sentence.value = to_html(sentence)
        self._lists.show(pair)

    def _on_cell(self, _mark: GridHeatMap, content: Mapping[str, Mapping[str, int]]) -> None:
        row, column = content["data"]["rowNum"], content["data"]["columnNum"]
        pair = (column, row) if self._is_drawn_swapped else (row, column)
        self.selected_pair = None if pair == self.selected_pair else pair

    def _on_choice(self, _change: object) -> None:
        self.selected_pair = self._lists.pair
        self.schedule_redraw(urgent=True)  # half a pair changes only the sentence


def _write_key(key: tuple[str, str, str]) -> str:
    lowest, highest, diagonal = map(to_html, key)
    spans = f'<span>{lowest}<i class="mw-ramp"></i>{highest}</span>'
    if diagonal:
        spans += f'<span><i class="mw-diagonal"></i>{diagonal}</span>'
    return f'<div class="mw-key">{spans}</div>'
