"""A square to draw in with mouse, finger or keys: the kernel's half of `drawing_canvas.js`."""

from __future__ import annotations

from typing import Any

from anywidget import AnyWidget
from traitlets import Bool, Float, Int, List

from mnist_widgets.data.handwriting.drawing import MOST_POINTS
from mnist_widgets.data.handwriting.pixels import PEN_PX
from mnist_widgets.widgets.theme import read_static

PEN_RADII = 0.9, 1.8
"""The thinnest pen and the thickest: radius in pixels of a 28 x 28 image."""


class DrawingCanvas(AnyWidget):
    """A square to draw in, with buttons to undo and clear, and a slider for the pen.

    The strokes live in the kernel: all views show the same drawing, also after the page is loaded
    again. Each trait has one writer. So Python does not empty `strokes`: the page gives each
    drawing a number, `clear` notes in `cleared` that the present one is cleared, and from both
    follows what is shown, here in `current_strokes` and in the page alike. What is still on its
    way from the page has the old number and is cleared, too.

    Attributes:
        strokes: written by the page: the strokes of the newest drawing. A stroke is a list of
            points [x, y] in [0, 1] from the top left. During a stroke the page writes it at most
            ten times a second, and once more at its end. Read `current_strokes` instead.
        drawing_number: written by the page, always together with `strokes`: 1 for the first
            drawing.
        is_drawing: written by the page: whether a pointer is down.
        pen: written by the page: the pen's radius in pixels of a 28 x 28 image.
        cleared: written by the kernel: drawings up to this number are cleared.
        max_points: written by the kernel: a drawing's largest number of points.
        pen_limits: written by the kernel: the smallest and the largest `pen`.
    """

    # as text: to watch a file, anywidget keeps a reference to every canvas ever made
    _esm = read_static("drawing_canvas_logic.js") + read_static("drawing_canvas.js")
    _css = read_static("drawing_canvas.css")

    strokes: Any = List().tag(sync=True)
    drawing_number = Int(0).tag(sync=True)
    is_drawing = Bool(False).tag(sync=True)
    pen = Float(PEN_PX).tag(sync=True)
    cleared = Int(0).tag(sync=True)
    max_points = Int(MOST_POINTS).tag(sync=True)
    pen_limits = List(Float(), list(PEN_RADII)).tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.add_class("mw-canvas")

    @property
    def current_strokes(self) -> list[list[list[float]]]:
        """The strokes that are shown, empty after `clear`. Observe `strokes` and `cleared`."""
        strokes: list[list[list[float]]] = self.strokes
        return strokes if self.drawing_number > self.cleared else []

    def clear(self) -> None:
        """Clear the drawing; a stroke that is being drawn ends. The page cannot undo this."""
        self.cleared = self.drawing_number
