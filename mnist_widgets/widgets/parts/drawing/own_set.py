"""A person's own test set: drawings with labels, which can be added, undone, saved and loaded."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence

from ipywidgets import HTML, HBox, VBox

from mnist_widgets.data.handwriting.drawing import Drawing
from mnist_widgets.data.handwriting.drawing_files import parse_text, write_text
from mnist_widgets.widgets.parts.controls import ROW, LiveRegion, button, dropdown, notice
from mnist_widgets.widgets.parts.drawing.file_buttons import MOST_LOADED_BYTES, FileButtons

LabeledDrawing = tuple[Drawing, int]
FILE_NAME = "my_digits.json"
_NO_LABEL = -1  # with None, ipywidgets shows an empty list in a new view


class OwnSet(VBox):
    """The controls of the set, and a line that says what it holds.

    Args:
        class_names: the names of the classes.
        take: returns the drawing to add, and clears the canvas; raises a ValueError, whose message
            the person sees, if there is none.
        on_change: called when the controls must be redrawn.

    Attributes:
        drawings: the set.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        take: Callable[[], Drawing],
        on_change: Callable[[], None],
    ) -> None:
        self._class_names, self._take, self._on_change = class_names, take, on_change
        self._additions: list[list[LabeledDrawing]] = []  # of one drawing or of some files each
        self._answer, self._errors = "", ""
        labels: list[tuple[str, object]] = [("choose", _NO_LABEL)]
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
        self._files = FileButtons(
            FILE_NAME,
            "Save my set as a file",
            "Add the drawings of one or several files to my set",
            self._write,
            self._load,
        )
        self._status, self._alert = HTML().add_class("mw-set-status"), HTML()
        self._spoken = LiveRegion()
        row = HBox([self._label, self._add, self._undo, self._files], layout=ROW)
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

    def forget_errors(self) -> None:
        """Take back what was wrong; called when the drawing changes."""
        self._errors = ""

    def redraw(self) -> None:
        """Update the widgets; called by the panel's `redraw`."""
        is_empty = not self._additions
        self._undo.disabled, self._files.can_save = is_empty, not is_empty
        self._status.value = html.escape(self.describe())
        self._alert.value = notice(self._errors, is_alert=True) if self._errors else ""
        self._spoken.words = self._errors or self._answer

    def _add_drawing(self) -> None:
        label, self._errors = self._label.value, ""
        if label == _NO_LABEL:
            self._errors = "Choose the label of this drawing, then press Add to my set."
        else:
            try:
                self._additions.append([(self._take(), label)])
            except ValueError as error:
                self._errors = str(error)
            else:
                self._answer = f"Added a {self._class_names[label]}. {self.describe()}"
        self._on_change()

    def _undo_addition(self) -> None:
        if self._additions:
            num_removed = len(self._additions.pop())
            self._errors, self._answer = "", f"Removed {num_removed}. {self.describe()}"
        self._on_change()

    def _write(self) -> str | None:
        """Return the content of the file to save; None if it cannot be saved."""
        pairs, self._errors = self.drawings, ""
        try:
            return write_text([drawing for drawing, _ in pairs], [label for _, label in pairs])
        except ValueError as error:
            self._errors = str(error)
            return None
        finally:
            self._on_change()

    def _load(self, files: list[tuple[str, bytes]] | None) -> None:
        """Add the drawings of all files that can be read, and name the others."""
        loaded: list[LabeledDrawing] = []
        errors = []
        if files is None:
            size = f"{MOST_LOADED_BYTES // 1_000_000} MB"
            errors.append(
                f"These files have more than {size} together. Load fewer files at once, or read "
                "them in a cell: load_drawings(...)."
            )
        for name, content in files or []:
            try:
                loaded += self._parse(name, content)
            except ValueError as error:
                errors.append(str(error))
        if loaded:
            self._additions.append(loaded)
            self._answer = f"Loaded {len(loaded):,}. {self.describe()}"
        self._errors = " ".join(errors)
        self._on_change()

    def _parse(self, name: str, content: bytes) -> list[LabeledDrawing]:
        """Return the drawings of a file.

        Raises:
            ValueError: with a sentence that names the file.
        """
        # a byte that is not text makes a file that is refused
        pairs = parse_text(content.decode("utf-8", errors="replace"), name)
        if any(label >= len(self._class_names) for _, label in pairs):
            raise ValueError(f"{name} cannot be used: it has labels of classes that are not here.")
        return pairs
