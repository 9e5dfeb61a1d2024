"""A person's own test set: drawings with labels, which can be added, undone, saved and loaded."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence

from ipywidgets import HTML, FileUpload, HBox, VBox

from mnist_widgets.data.handwriting.drawing import Drawing
from mnist_widgets.data.handwriting.drawing_files import parse_text, write_text
from mnist_widgets.widgets.parts.controls import ROW, LiveRegion, button, dropdown, notice
from mnist_widgets.widgets.parts.drawing.save_button import SaveButton

LabeledDrawing = tuple[Drawing, int]
FILE_NAME = "my_digits.json"


class OwnSet(VBox):
    """The controls of the set, and a line that says what it holds.

    Args:
        class_names: the names of the classes.
        take: returns the drawing to add, which the canvas then clears; None if nothing is drawn.
        on_change: called when the controls must be redrawn.

    Attributes:
        drawings: the set.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        take: Callable[[], Drawing | None],
        on_change: Callable[[], None],
    ) -> None:
        self._class_names, self._take, self._on_change = class_names, take, on_change
        self._additions: list[list[LabeledDrawing]] = []  # of one drawing or of some files each
        self._answer, self._errors = "", ""
        labels: list[tuple[str, object]] = [("choose", None)]
        labels += [(name, label) for label, name in enumerate(class_names)]
        self._label = dropdown(
            "Label", "What this drawing is", labels, label_px=44, width_px=150
        ).add_class("mw-label")
        self._add = button(
            "Add to my set",
            "Keep this drawing and clear the canvas",
            self._add_drawing,
            width_px=110,
        )
        self._undo = button(
            "Undo add", "Remove what was added last", self._undo_addition, width_px=86
        )
        self._save = SaveButton(
            FILE_NAME,
            "Save my set as a file",
            lambda: write_text(*self._columns()),
        )
        self._load = FileUpload(
            accept=".json",
            multiple=True,
            description="Load",
            tooltip="Add the drawings of one or several files to my set",
            layout={"width": "96px"},
        ).add_class("mw-load")
        self._load.observe(self._load_files, "value")
        self._status, self._alert = HTML().add_class("mw-set-status"), HTML()
        self._spoken = LiveRegion()
        row = HBox([self._label, self._add, self._undo, self._save, self._load], layout=ROW)
        super().__init__([row, self._status, self._alert, self._spoken])
        self.add_class("mw-own-set")

    @property
    def drawings(self) -> list[LabeledDrawing]:
        """The drawings with their labels, in the order in which they were added."""
        return [pair for addition in self._additions for pair in addition]

    def describe(self) -> str:
        """Say how many drawings of each class the set holds."""
        pairs = self.drawings
        if not pairs:
            return "My set is empty."
        counts = Counter(label for _, label in pairs)
        each = ", ".join(f"{name}: {counts[label]}" for label, name in enumerate(self._class_names))
        noun = "drawing" if len(pairs) == 1 else "drawings"
        return f"My set: {len(pairs):,} {noun}. {each}."

    def redraw(self) -> None:
        """Update the widgets; called by the panel's `redraw`."""
        is_empty = not self._additions
        self._undo.disabled = self._save.disabled = is_empty
        self._status.value = html.escape(self.describe())
        self._alert.value = notice(self._errors, is_alert=True) if self._errors else ""
        self._spoken.words = self._errors or self._answer

    def _add_drawing(self) -> None:
        label = self._label.value
        self._errors = ""
        if label is None:
            self._errors = "Choose the label of this drawing, then press Add."
        elif (drawing := self._take()) is None:
            self._errors = "Nothing is drawn. Draw a digit, then press Add."
        else:
            self._additions.append([(drawing, label)])
            self._answer = f"Added a {self._class_names[label]}. {self.describe()}"
        self._on_change()

    def _undo_addition(self) -> None:
        if self._additions:
            num_removed = len(self._additions.pop())
            self._errors, self._answer = "", f"Removed {num_removed}. {self.describe()}"
        self._on_change()

    def _load_files(self, _change: object) -> None:
        """Add the drawings of all files that can be read, and name the others."""
        loaded: list[LabeledDrawing] = []
        errors = []
        for file in self._load.value:
            name = file["name"]
            try:
                pairs = parse_text(bytes(file["content"]).decode("utf-8"), name)
            except UnicodeDecodeError:
                errors.append(f"{name} is no file of drawings: it is not text.")
            except ValueError as error:
                words = str(error)
                errors.append(words if name in words else f"{name}: {words}")
            else:
                if any(label >= len(self._class_names) for _, label in pairs):
                    errors.append(f"{name} has labels of more classes than the network has.")
                else:
                    loaded += pairs
        if loaded:
            self._additions.append(loaded)
            self._answer = f"Loaded {len(loaded):,}. {self.describe()}"
        self._errors = " ".join(errors)
        self._on_change()

    def _columns(self) -> tuple[list[Drawing], list[int]]:
        pairs = self.drawings
        return [drawing for drawing, _ in pairs], [label for _, label in pairs]
