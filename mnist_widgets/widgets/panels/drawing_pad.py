"""Draw a digit with mouse, finger or keys, and see what the network reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ipywidgets import HBox
from torch import nn

from mnist_widgets.data.digit_set import DIGIT_NAMES, DigitSet
from mnist_widgets.data.handwriting.drawing import Drawing
from mnist_widgets.data.handwriting.drawing_files import save_drawings
from mnist_widgets.data.handwriting.drawing_sets import LabeledDrawing, to_digit_set
from mnist_widgets.data.images import to_sprite
from mnist_widgets.data.tensors import to_class_names
from mnist_widgets.rendering.chart_data import tabulate_prediction
from mnist_widgets.rendering.image_captions import describe_answer
from mnist_widgets.rendering.png_charts import draw_prediction, draw_words
from mnist_widgets.rendering.static_views import StaticView, join_views, render_prediction
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.system.arguments import check_kind
from mnist_widgets.widgets.chart_panel import ChartPanel
from mnist_widgets.widgets.parts.drawing.drawing_canvas import DrawingCanvas
from mnist_widgets.widgets.parts.drawing.live_reader import LiveReader, Reading
from mnist_widgets.widgets.parts.drawing.own_set import OwnSet
from mnist_widgets.widgets.parts.drawing.stage_view import StageView
from mnist_widgets.widgets.parts.image_grid import Answer
from mnist_widgets.widgets.parts.probability_figure import ProbabilityFigure

if TYPE_CHECKING:
    import pandas as pd

_EMPTY = "Draw a digit on the black square to see what the network reads."
_WAITING = "No prediction yet."


class DrawingPad(ChartPanel):
    """A square to draw a digit in, what the network sees of it, and the network's probabilities.

    A drawing can be added to a set, a person's own test set. It stays while the kernel runs: all
    pads with the same class names show the same set, also those that are made later.

    Example:
        ```python
        pad = DrawingPad(session)
        pad
        ```

        Later, with some drawings in "my set", in another cell:

        ```python
        my_digits = pad.digit_set()
        evaluator = Evaluator(my_digits.batches(512))
        print(evaluator.evaluate(session.trainer.model, "cpu"))
        gallery, chart = ImageGallery(my_digits), ConfusionChart(my_digits.class_names)
        gallery.show_predictions(evaluator.predictions)
        chart.show_counts(evaluator.predictions.confusion)
        VBox([gallery, chart])
        ```

    Args:
        source: a `TrainingSession`, or a model. With a session the drawing is predicted again when
            the weights change; with a model, after each cell, and after the batches of an open
            session that trains it. Predictions run between two batches of such a session. `close`
            a pad that you no longer need.
        class_names: the names of the classes; by default those of the session's data, or digits.

    Raises:
        TypeError: if `source` is neither.
    """

    def __init__(
        self,
        source: TrainingSession | nn.Module,
        class_names: Iterable[object] | None = None,
    ) -> None:
        kinds = (TrainingSession, nn.Module)
        check_kind(source, kinds, "source", "TrainingSession(trainer) or SimpleNet(28 * 28, 10)")
        reader = LiveReader(source, self._on_answer)
        names = reader.class_names if class_names is None else class_names
        self._class_names = to_class_names(DIGIT_NAMES if names is None else names)
        self._reader = reader
        self._canvas = DrawingCanvas(
            self._class_names,
            lambda strokes, label: self._own_set.add(Drawing(strokes), label),
        )
        self._stages = StageView(self._read)
        self._own_set = OwnSet(self._class_names, lambda: self.schedule_redraw(urgent=True))
        self._figure = ProbabilityFigure(self._class_names)
        self._drawing = Drawing([])
        self._is_displayed = False  # also outside of a lab's place
        super().__init__("mw-drawing-pad", "Probabilities", [], self._figure.figure)
        style, controls, chart = self.children
        columns = HBox([self._canvas, self._stages, chart]).add_class("mw-pad-columns")
        self.children = (style, controls, columns, self._own_set)
        self._canvas.observe(self._on_strokes, "current_strokes")
        self._canvas.observe(lambda _change: self._read(), "pen")
        self._reader.start()
        self.redraw()

    @property
    def drawing(self) -> Drawing:
        """What is on the canvas now."""
        return self._drawing

    @property
    def drawings(self) -> list[LabeledDrawing]:
        """The set: (drawing, label) of each drawing, in the order in which they were added."""
        return self._own_set.kept.drawings

    def remove(self, index: int) -> None:
        """Remove a drawing from the set, for example one with a wrong label.

        Args:
            index: its position in `drawings` and `digit_set()`, counted from 0.

        Raises:
            IndexError: if there is no such drawing.
        """
        self._own_set.kept.remove(index)

    def save_drawings(self, path: str | os.PathLike[str]) -> None:
        """Save the set as a JSON file, which `load_drawings` and the pad read.

        Raises:
            ValueError: if the set is empty.
        """
        drawings, labels = zip(*self._own_set.kept.require_drawings(), strict=True)
        save_drawings(Path(path), drawings, labels, self._class_names)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the set to a `.json` file, or the chart to a `.png` or `.csv` file.

        Raises:
            ValueError: if the set is empty, or the file has another ending.
        """
        ending = Path(path).suffix.lower()
        if ending in (".png", ".csv"):
            super().save(path)
        elif ending == ".json":
            self.save_drawings(path)
        else:
            raise ValueError(
                "The name must end in .json for the set, or in .png or .csv for the chart."
            )

    def digit_set(
        self,
        *,
        scale: bool | None = None,
        center: bool | None = None,
        pen: float | None = None,
        name: str = "my digits",
    ) -> DigitSet:
        """Return the set as images with labels, to evaluate a network on.

        Without arguments the images are made as the pad makes them now, with its switches and its
        pen.

        Args:
            scale: as for `Drawing.to_image`; None means as on the pad.
            center: likewise.
            pen: likewise.
            name: of the set on screen.

        Raises:
            ValueError: if the set is empty.
        """
        return to_digit_set(
            self._own_set.kept.require_drawings(),
            name,
            class_names=self._class_names,
            scale=self._stages.scale if scale is None else scale,
            center=self._stages.center if center is None else center,
            pen=self._canvas.pen if pen is None else pen,
        )

    def close(self) -> None:
        """Remove the pad from the page; the session continues."""
        self._reader.close()
        super().close()

    def on_shown(self, is_shown: bool) -> None:
        """Stop predicting new weights while the lab hides the pad, if no cell shows it too."""
        self._reader.follow(is_shown or self._is_displayed)

    def _ipython_display_(self) -> None:
        self._is_displayed = True
        self._reader.follow(True)
        super()._ipython_display_()

    def to_png(self) -> bytes:
        """Return the image that the network sees and its bars as a PNG, dark on white."""
        reading = self._reader.reading
        answer = self._to_answer(reading)
        if answer is None:
            return draw_words(self._describe(reading))
        return draw_prediction(answer.image, answer.probabilities, self._class_names, None)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the probability of each class."""
        answer = self._to_answer(self._reader.reading)
        probabilities = None if answer is None else answer.probabilities
        return tabulate_prediction(probabilities, self._class_names)

    def static_view(self) -> StaticView:
        """Return the stages, the probabilities, and what the set holds."""
        reading, views = self._reader.reading, []
        answer, words = self._to_answer(reading), self._describe(reading)
        if reading is not None:
            png = to_sprite([stage.image for stage in reading.stages], 3)
            names = ", ".join(stage.name for stage in reading.stages)
            views.append(StaticView.of_picture(png, f"The drawing: {names}.", names))
        if answer is None:
            views.append(StaticView.of_words(words))
        else:
            view = render_prediction(
                answer.image, answer.probabilities, self._class_names, None, words
            )
            views.append(view)
        return join_views([*views, StaticView.of_words(self._own_set.describe())])

    def redraw(self) -> None:
        """Update the widgets from the drawing and its prediction; called by the scheduler."""
        reading = self._reader.reading  # once: the next one can come at any time
        self._stages.show(None if reading is None else reading.stages)
        self._figure.show(self._to_answer(reading))
        self._show_caption(self._describe(reading), is_news=reading is not None)
        self._own_set.redraw()
        self.mark_static_view_stale()

    @property
    def _table_caption(self) -> str:
        return "Probabilities for the drawing."

    def _to_answer(self, reading: Reading | None) -> Answer | None:
        """Return what the bars show; None if there is nothing, or an error."""
        if reading is None or reading.probabilities is None:
            return None
        if len(reading.probabilities) != len(self._class_names):
            return None
        return Answer(reading.image, reading.probabilities, None)

    def _describe(self, reading: Reading | None) -> str:
        if reading is None:
            return _EMPTY if self._drawing.is_empty else _WAITING
        if reading.probabilities is None:
            return reading.error
        if self._to_answer(reading) is None:
            size = len(reading.probabilities)
            return (
                f"The network has {size} classes, but the pad has {len(self._class_names)} names. "
                f"Pass {size} names: DrawingPad(..., class_names=[...])"
            )
        return describe_answer(reading.probabilities, self._class_names) + self._reader.warning

    def _on_strokes(self, _change: object) -> None:
        self._drawing = Drawing(self._canvas.current_strokes)
        if not self._drawing.is_empty:
            self._own_set.forget_errors()
        self._read()

    def _read(self) -> None:
        """Draw the stages, and let the network predict the last one."""
        scale, center = self._stages.scale, self._stages.center
        stages = self._drawing.to_stages(scale=scale, center=center, pen=self._canvas.pen)
        self._reader.read(None if self._drawing.is_empty else stages)

    def _on_answer(self, is_new: bool) -> None:
        """Redraw: at once after a change of the drawing, with the next frame after a batch."""
        self.schedule_redraw(urgent=is_new)
