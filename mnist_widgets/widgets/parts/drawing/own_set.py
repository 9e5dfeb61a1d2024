"""A person's own test set: drawings with labels, which can be added, undone, saved and loaded."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence

from ipywidgets import HTML, HBox, VBox

from mnist_widgets.data.handwriting.drawing import Drawing
from mnist_widgets.data.handwriting.drawing_files import parse_text, write_text
from mnist_widgets.widgets.parts.controls import ROW, LiveRegion, button, notice
from mnist_widgets.widgets.parts.drawing.file_buttons import MOST_LOADED_BYTES, FileButtons

LabeledDrawing = tuple[Drawing, int]
FILE_NAME = "my_digits.json"


class OwnSet(VBox):
    """The controls of the set, and a line that says what it holds.

    Args:
        class_names: the names of the classes.
        on_change: called when the controls must be redrawn.

    Attributes:
        drawings: the set.
    """

    def __init__(self, class_names: Sequence[str], on_change: Callable[[], None]) -> None:
        self._class_names, self._schedule_redraw = class_names, on_change
        self._additions: list[list[LabeledDrawing]] = []  # of one drawing or of some files each
        self._answer, self._errors = "", ""
        self._news = ""  # to be read aloud at the next redraw
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
        row = HBox([self._undo, self._files], layout=ROW)
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
        counts = sorted(Counter(label for _, label in pairs).items())
        each = ", ".join(f"{count:,} of {self._class_names[label]}" for label, count in counts)
        return f"My set: {self._count()} ({each})."

    def add(self, drawing: Drawing, label: int) -> None:
        """Add a drawing with its label."""
        self._additions.append([(drawing, label)])
        name = self._class_names[label]
        article = "an" if name[:1].lower() in tuple("aeio8") else "a"
        self._errors, self._answer = "", f"Added {article} {name}. {self._count()}."
        self._on_change()

    def forget_errors(self) -> None:
        """Take back what was wrong; called when the drawing changes."""
        self._errors = ""

    def redraw(self) -> None:
        """Update the widgets; called by the panel's `redraw`."""
        is_empty = not self._additions
        self._undo.disabled, self._files.can_save = is_empty, not is_empty
        self._status.value = html.escape(self.describe())
        self._alert.value = notice(self._errors, is_alert=True) if self._errors else ""
        if self._news:
            self._spoken.say(self._news)
            self._news = ""

    def _on_change(self) -> None:
        """Redraw, and read aloud what has just happened."""
        self._news, self._answer = self._errors or self._answer, ""
        self._schedule_redraw()

    def _count(self) -> str:
        number = len(self.drawings)
        return "1 drawing" if number == 1 else f"{number:,} drawings"

    def _undo_addition(self) -> None:
        if self._additions:
            num_removed = len(self._additions.pop())
            self._errors, self._answer = "", f"Removed {num_removed:,}. {self._count()}."
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
            self._answer = f"Loaded {len(loaded):,}. {self._count()}."
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
