"""Which class was taken for which, as a matrix of coloured numbers whose cells can be picked.

What the cells, sentences and tables say is `confusion_view`; what becomes of a picked pair is
decided elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from bqplot import Axis, ColorScale, Figure, GridHeatMap, Label, OrdinalScale
from ipywidgets import Button, Checkbox, Dropdown, HBox, VBox
from torch import Tensor
from traitlets import Int, TraitError, TraitType, Tuple, validate

from mnist_widgets.confusion_view import (
    SET_ASIDE,
    Pair,
    color_cells,
    describe_accuracy,
    describe_colors,
    describe_pair,
    tabulate_measures,
    write_cells,
)
from mnist_widgets.data import DIGIT_NAMES
from mnist_widgets.evaluation import Evaluator
from mnist_widgets.reports import EpochReport
from mnist_widgets.tensors import ArrayLike, to_class_names, to_counts
from mnist_widgets.training import Callback, Trainer
from mnist_widgets.twins import Twin, twin_confusion
from mnist_widgets.widgets.class_axis import class_axis, widest_px
from mnist_widgets.widgets.panel import Panel, text_line
from mnist_widgets.widgets.publishing import publisher

# From a cell set aside over an empty one to the strongest. The page shines through, so that one
# ramp and one colour of numbers serve light and dark themes. The style sheet's key shows the same.
_RAMP = ["rgba(128, 128, 128, 0.22)", "rgba(30, 136, 210, 0)", "rgba(30, 136, 210, 0.62)"]
_OUTLINE = {
    "stroke": "var(--mw-text)",
    "stroke-width": "3px",
    # It lies within its own cell: the neighbours would cover half of it.
    "transform": "scale(0.9)",
    "transform-box": "fill-box",
    "transform-origin": "center",
}
_NONE = -1  # a list whose value is None shows no option at all
_ROW = {"flex_flow": "row wrap", "align_items": "center"}
_CELL_HEIGHT_PX = 34


class ConfusionChart(Panel, Callback):
    """The confusion matrix as a heat map, with accuracy, recall and precision beside it.

    A click on a cell, or the two lists below, picks a pair of a true and a predicted class; a
    second click lets it go. As a callback of a `Trainer` it shows what its `Evaluator` counted
    after each epoch.

    Example:
        ```python
        chart = ConfusionChart()
        chart.show_counts(evaluator.confusion)
        trainer.callbacks.append(chart)
        chart.observe(lambda change: print(change["new"]), names="selected_pair")
        chart
        ```

    Args:
        class_names: what the classes are called, in their order: strings, or whatever `str` makes
            names of; no two alike.
        count: asks for new counts, which `show_counts` then brings; a button calls it. Without it
            there is no button.

    Attributes:
        selected_pair: (true, predicted), the classes of the picked cell; None for no cell. A trait.
    """

    selected_pair: TraitType[Any, Any] = Tuple(Int(), Int(), default_value=None, allow_none=True)

    def __init__(
        self,
        class_names: Iterable[object] = DIGIT_NAMES,
        count: Callable[[], None] | None = None,
    ) -> None:
        self._class_names = to_class_names(class_names)
        self._noun = "digit" if self._class_names == DIGIT_NAMES else "class"
        self._counts: Tensor | None = None
        self._is_drawn_swapped = False
        self._drawn_cell: Pair | None = None
        self._drawing_thread: int | None = None
        self._build_controls()
        self._accuracy = text_line("mw-accuracy")
        self._measures = text_line("mw-measures")
        self._key = text_line("mw-key-line")
        self._sentence = text_line("mw-caption")
        choices = HBox([self._true, self._predicted], layout=_ROW)
        matrix = VBox(
            [self._build_figure(), self._key, choices, self._sentence],
            layout={"flex": "1 1 376px", "max_width": "660px"},
        ).add_class("mw-matrix")
        measures = VBox([self._accuracy, self._measures], layout={"flex": "0 1 226px"})
        super().__init__(
            "mw-confusion-chart",
            [
                HBox(
                    [
                        self._numbers,
                        self._stand_out,
                        self._swap,
                        *(() if count is None else (_build_button(count),)),
                    ],
                    layout=_ROW,
                ),
                HBox([matrix, measures], layout={"flex_flow": "row wrap"}),
            ],
        )
        self.redraw()
        self.observe(self._on_change, names="selected_pair")

    def show_counts(self, counts: ArrayLike | None) -> None:
        """Show what an evaluation counted; from any thread.

        Args:
            counts: whole numbers (C, C), `counts[true, predicted]`: a tensor, an array or a list;
                None if nothing was evaluated yet.

        Raises:
            ValueError: the counts are of another shape, below 0, or no whole numbers.
        """
        checked = None if counts is None else to_counts(counts, len(self._class_names)).cpu()
        # a copy: the caller may go on counting
        self._counts = checked.clone() if checked is not None and checked.any() else None
        publisher.request(self.redraw)

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Show what the trainer's `Evaluator` counted; nothing happens without one."""
        if isinstance(trainer.evaluator, Evaluator):
            self.show_counts(trainer.evaluator.confusion)

    def on_reset(self, trainer: Trainer) -> None:
        """Empty the chart."""
        self.show_counts(None)

    def twin(self) -> Twin:
        """Return the counts with accuracy, recall and precision, whatever the cells show."""
        return twin_confusion(self._counts, self._class_names, self._noun)

    def redraw(self) -> None:
        """Bring the widgets up to date with counts and choices; called by the publisher."""
        counts, pair = self._counts, self.selected_pair
        self._is_drawn_swapped = self._swap.value
        self._show_axes()
        self._show_cells(counts)
        self._show_pair(counts, pair)
        self._accuracy.value = describe_accuracy(counts)
        self._measures.value = tabulate_measures(counts, self._class_names, self._noun)
        self.mark_twin_stale()

    def _build_controls(self) -> None:
        self._numbers = Dropdown(
            description="Numbers",
            tooltip="What the cells say: how many images, or which share of them",
            options=[
                ("Counts", "counts"),
                (f"Share of the true {self._noun}", "true"),
                ("Share of the prediction", "predicted"),
            ],
            style={"description_width": "62px"},
            layout={"width": "250px"},
        )
        self._stand_out, self._swap = (
            Checkbox(value=value, description=name, indent=False, layout={"width": width})
            for value, name, width in (
                (True, "Mistakes stand out", "170px"),
                (False, "Swap axes", "110px"),
            )
        )
        longest_px = widest_px(self._class_names)
        options = [("choose", _NONE), *((name, at) for at, name in enumerate(self._class_names))]
        self._true, self._predicted = (
            Dropdown(
                description=name,
                tooltip="Picks a cell, as a click on it does",
                options=options,
                style={"description_width": f"{width_px}px"},
                layout={"width": f"{width_px + max(longest_px, 60) + 40:.0f}px"},
            )
            for name, width_px in (("Or pick: true", 86), ("predicted", 72))
        )
        for setting in (self._numbers, self._stand_out, self._swap):
            setting.observe(self._on_change, names="value")
        for choice in (self._true, self._predicted):
            choice.observe(self._on_choice, names="value")

    def _build_figure(self) -> Figure:
        names = np.array(self._class_names)
        size = len(names)
        columns = OrdinalScale(domain=list(names))
        rows = OrdinalScale(domain=list(names), reverse=True)
        self._cells = GridHeatMap(
            color=np.zeros((size, size)),
            row=names,
            column=names,
            scales={
                "row": rows,
                "column": columns,
                "color": ColorScale(min=SET_ASIDE, max=1, colors=_RAMP),
            },
            stroke="var(--mw-grid)",
            selected_style=_OUTLINE,
            interactions={},
        )
        self._cells.on_element_click(self._on_cell)
        # The heat map's own numbers could not be other than what colours it.
        self._texts = Label(
            x=np.tile(names, size),
            y=np.repeat(names, size),
            text=np.full(size**2, ""),
            scales={"x": columns, "y": rows},
            colors=["var(--mw-text)"],
            default_size=11,
            font_weight="normal",
            align="middle",
        )
        longest_px = widest_px(self._class_names)
        self._row_axis = Axis(
            scale=rows, side="left", grid_lines="none", label_offset=f"{longest_px + 20:.0f}px"
        )
        self._column_axis, bottom = class_axis(columns, self._class_names)
        return Figure(
            marks=[self._cells, self._texts],
            axes=[self._column_axis, self._row_axis],
            fig_margin={"top": 6, "bottom": bottom, "left": round(longest_px + 42), "right": 6},
            layout={
                "width": "auto",
                "height": f"{_CELL_HEIGHT_PX * size + bottom}px",
                "margin": "0",
            },
            padding_x=0,
            padding_y=0,
            animation_duration=0,
            display_toolbar=False,
        )

    def _show_axes(self) -> None:
        labels = (f"True {self._noun}", f"Predicted {self._noun}")
        self._row_axis.label, self._column_axis.label = (
            labels[::-1] if self._is_drawn_swapped else labels
        )

    def _show_cells(self, counts: Tensor | None) -> None:
        if counts is None:
            size = len(self._class_names)
            strengths, texts, key = np.zeros((size, size)), np.full((size, size), ""), ""
        else:
            numbers, stand_out = self._numbers.value, self._stand_out.value
            strengths = color_cells(counts, numbers, stand_out)
            texts = write_cells(counts, numbers)
            key = describe_colors(counts, numbers, stand_out)
        if self._is_drawn_swapped:
            strengths, texts = strengths.T.copy(), texts.T
        if not np.array_equal(self._cells.color, strengths):
            self._cells.color = strengths
        if not np.array_equal(self._texts.text, texts.ravel()):
            with self._texts.hold_sync():
                self._texts.text = texts.ravel()
                self._texts.colors = [
                    "var(--mw-zero)" if text == "0" else "var(--mw-text)" for text in texts.flat
                ]
        self._key.value = key

    def _show_pair(self, counts: Tensor | None, pair: Pair | None) -> None:
        cell = pair[::-1] if pair and self._is_drawn_swapped else pair
        if cell != self._drawn_cell:
            self._cells.selected = None if cell is None else np.array([cell])
            self._drawn_cell = cell
        if counts is None:
            sentence = "Nothing has been evaluated yet. The numbers come at the end of an epoch."
        elif pair is None:
            is_half = (self._true.value == _NONE) != (self._predicted.value == _NONE)
            sentence = (
                f"Choose the {'true' if self._true.value == _NONE else 'predicted'} one as well."
                if is_half
                else "Click a cell to see its images, and once more to let it go."
            )
        else:
            sentence = describe_pair(
                counts, pair, self._numbers.value, self._class_names, self._noun
            )
        self._sentence.value = sentence
        chosen = (self._true.value, self._predicted.value)
        if pair is not None or _NONE not in chosen:  # half a pair that is chosen stays
            self._drawing_thread = threading.get_ident()
            self._true.value, self._predicted.value = pair or (_NONE, _NONE)
            self._drawing_thread = None

    def _on_cell(self, _mark: GridHeatMap, content: Mapping[str, Mapping[str, int]]) -> None:
        row, column = content["data"]["rowNum"], content["data"]["columnNum"]
        pair = (column, row) if self._is_drawn_swapped else (row, column)
        self.selected_pair = None if pair == self.selected_pair else pair

    def _on_choice(self, _change: object) -> None:
        if threading.get_ident() == self._drawing_thread:
            return  # the lists follow a pair that is selected already
        chosen = (self._true.value, self._predicted.value)
        self.selected_pair = None if _NONE in chosen else chosen
        self._on_change(None)  # half a pair changes nothing but the sentence

    def _on_change(self, _change: object) -> None:
        publisher.request(self.redraw, urgent=True)

    @validate("selected_pair")
    def _check_pair(self, proposal: Mapping[str, Pair | None]) -> Pair | None:
        pair, size = proposal["value"], len(self._class_names)
        if pair is not None and not all(0 <= label < size for label in pair):
            raise TraitError(
                f"selected_pair must be (true, predicted), each from 0 to {size - 1}, not {pair}"
            )
        return pair


def _build_button(count: Callable[[], None]) -> Button:
    button = Button(
        description="Count now",
        tooltip="Count during an epoch; at its end, and at a standstill, it happens by itself",
        layout={"width": "96px"},
    )
    button.on_click(lambda _button: count())
    return button.add_class("mw-count")
