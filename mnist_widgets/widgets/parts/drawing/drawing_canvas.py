"""A square to draw in with mouse, finger or keys: the kernel's half of `drawing_canvas.js`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from anywidget import AnyWidget
from traitlets import Float, Int, List, Unicode

from mnist_widgets.data.handwriting.drawing import MOST_POINTS
from mnist_widgets.data.handwriting.pixels import PEN_PX
from mnist_widgets.widgets.theme import read_static

StrokeLists: TypeAlias = list[list[list[float]]]
PEN_RADII = 0.9, 1.8
"""The thinnest pen and the thickest: radius in pixels of a 28 x 28 image."""


class DrawingCanvas(AnyWidget):
    """A square to draw in, and a button that adds the drawing with its label to a set.

    The strokes live in the kernel: all views show the same drawing, also after the page is loaded
    again. Each trait has one writer.

    ipywidgets holds back a change of a trait until the kernel has answered the one before, but it
    sends messages at once. So the page sends an addition in one message with all that belongs to
    it: the drawing's number, its strokes and its label. Then it begins the drawing with the next
    number and does not wait for the kernel. What arrives later of the one before has its old
    number, and is ignored: `last_added` says which drawings are in the set.

    Args:
        class_names: the names to choose the label from.
        on_add: called with the strokes and the label, an index of `class_names`.

    Attributes:
        strokes: written by the page: the strokes of the newest drawing. A stroke is a list of
            points [x, y] in [0, 1] from the top left. During a stroke the page writes it at most
            ten times a second, and once more at its end. Read `current_strokes` instead.
        drawing_number: written by the page, always together with `strokes`: 1 for the first
            drawing.
        current_strokes: the strokes that are shown; a trait to observe. It is the kernel's alone.
        pen: written by the page: the pen's radius in pixels of a 28 x 28 image.
        label: written by the page: the label that is chosen, -1 before. A message may have a newer
            one.
        last_added: written by the kernel: the highest number of a drawing that was added.
        class_names: written by the kernel.
        max_points: written by the kernel: a drawing's largest number of points.
        pen_limits: written by the kernel: the smallest and the largest `pen`.
    """

    # as text: to watch a file, anywidget keeps a reference to every canvas ever made
    _esm = read_static("elements.js", "drawing_canvas_logic.js", "drawing_canvas.js")
    _css = read_static("drawing_canvas.css")

    strokes: Any = List().tag(sync=True)
    drawing_number = Int(0).tag(sync=True)
    current_strokes: Any = List()
    pen = Float(PEN_PX).tag(sync=True)
    label = Int(-1).tag(sync=True)
    last_added = Int(0).tag(sync=True)
    class_names = List(Unicode()).tag(sync=True)
    max_points = Int(MOST_POINTS).tag(sync=True)
    pen_limits = List(Float(), list(PEN_RADII)).tag(sync=True)

    def __init__(
        self, class_names: Sequence[str], on_add: Callable[[StrokeLists, int], None]
    ) -> None:
        super().__init__(class_names=list(class_names))
        self._on_add = on_add
        self._added: set[int] = set()  # the numbers of the drawings in the set
        self.add_class("mw-canvas")
        self.on_msg(self._on_message)
        self.observe(self._on_change, ["strokes", "drawing_number"])
        self.observe(self._on_addition, "last_added")

    def _on_change(self, _change: object) -> None:
        if self.drawing_number > self.last_added:  # else a late change of another page
            self.current_strokes = self.strokes

    def _on_addition(self, _change: object) -> None:
        self.current_strokes = []

    def _on_message(self, _canvas: object, message: dict[str, Any], _buffers: object) -> None:
        number = message["drawing_number"]
        if number in self._added:  # by another page that shows the same drawing
            return
        self._added.add(number)
        self._on_add(message["strokes"], message["label"])
        # a front end may use several channels, so an older message can come after a newer one
        self.last_added = max(number, self.last_added)
