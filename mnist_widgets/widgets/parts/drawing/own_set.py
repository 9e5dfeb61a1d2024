"""A person's own test set: drawings with labels, which can be added, undone, saved and loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from ipywidgets import HTML, HBox, VBox

from mnist_widgets.data.handwriting.drawing import Drawing
from mnist_widgets.data.handwriting.drawing_files import parse_text, write_text
from mnist_widgets.data.handwriting.drawing_sets import LabeledDrawing
from mnist_widgets.rendering.captions import to_html
from mnist_widgets.system.short_text import shorten
from mnist_widgets.widgets.parts.controls import ROW, LiveRegion, button, notice
from mnist_widgets.widgets.parts.drawing.drawing_set import find_kept_set
from mnist_widgets.widgets.parts.drawing.file_buttons import MOST_LOADED_BYTES, FileButtons


class OwnSet(VBox):
    """The controls of the set, and a line that says what it holds.

    Args:
        class_names: the names of the classes; all pads of a kernel with the same ones share a set.
        on_change: called when the controls must be redrawn, also after a change in another pad.

    Attributes:
        kept: the set.
    """

    def __init__(self, class_names: Sequence[str], on_change: Callable[[], None]) -> None:
        self._class_names, self._schedule_redraw = class_names, on_change
        self.kept = find_kept_set(tuple(class_names))
        self.kept.add_listener(on_change)
        self._answer, self._errors, self._left_out = "", "", ""
        self._news = ""  # to be read aloud at the next redraw
        self._undo = button(
            "Undo add",
            "Remove what was added last; press again for what was added before",
            self._undo_addition,
            width_px=86,
        )
        self._files = FileButtons(
            self.kept.file_name,
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

    def close(self) -> None:
        """Remove the controls from the page; the set stays."""
        self.kept.remove_listener(self._schedule_redraw)
        super().close()

    def describe(self) -> str:
        """Say how many drawings of each class the set holds."""
        pairs = self.kept.drawings
        if not pairs:
            return "My set is empty."
        counts = sorted(Counter(label for _, label in pairs).items())
        each = ", ".join(f"{count:,} of {self._class_names[label]}" for label, count in counts)
        return f"My set: {self._count()} ({each})."

    def add(self, drawing: Drawing, label: int) -> None:
        """Add a drawing with its label."""
        self.kept.add((drawing, label))
        name = self._class_names[label]
        article = "an" if name[:1].lower() in tuple("aeio8") else "a"
        self.forget_errors()
        self._answer = f"Added {article} {name}. {self._count()}."
        self._on_change()

    def forget_errors(self) -> None:
        """Take back what was wrong; called when the drawing changes."""
        self._errors = self._left_out = ""

    def redraw(self) -> None:
        """Update the widgets; called by the panel's `redraw`."""
        is_empty = not self.kept.drawings
        self._undo.disabled, self._files.can_save = is_empty, not is_empty
        self._status.value = to_html(self.describe())
        words = " ".join(filter(None, (self._errors, self._left_out)))
        self._alert.value = notice(words, is_alert=bool(self._errors)) if words else ""
        if self._news:
            self._spoken.say(self._news)
            self._news = ""

    def _on_change(self) -> None:
        """Redraw, and read aloud what has just happened."""
        self._news, self._answer = self._errors or self._answer, ""
        self._schedule_redraw()

    def _count(self) -> str:
        number = len(self.kept.drawings)
        return "1 drawing" if number == 1 else f"{number:,} drawings"

    def _undo_addition(self) -> None:
        num_removed = self.kept.undo()
        self.forget_errors()
        self._answer = f"Removed {num_removed:,}. {self._count()}."
        self._on_change()

    def _write(self) -> str | None:
        """Return the content of the file to save; None if it cannot be saved."""
        pairs = self.kept.drawings
        self.forget_errors()
        try:
            drawings, labels = [drawing for drawing, _ in pairs], [label for _, label in pairs]
            return write_text(drawings, labels, self._class_names)
        except ValueError as error:
            self._errors = str(error)
            return None
        finally:
            self._on_change()

    def _load(self, files: list[tuple[str, bytes | None]] | None) -> None:
        """Add the new drawings of all files that can be read, and name the other files."""
        loaded, errors = [], []
        if files is None:
            size = f"{MOST_LOADED_BYTES // 1_000_000} MB"
            errors.append(
                f"These files are larger than {size} together. Load fewer files at once, or load "
                "them in a cell: load_drawings(...)."
            )
        for name, content in files or []:
            try:
                loaded.append(self._parse(name, content))
            except ValueError as error:
                errors.append(str(error))
        self.forget_errors()
        self._errors = " ".join(errors)
        if loaded:
            num_added, num_left_out = self.kept.merge(loaded)
            if num_left_out:
                self._left_out = (
                    f"New drawings: {num_added:,}. "
                    f"Already in my set and left out: {num_left_out:,}."
                )
            words = self._left_out or f"Loaded {num_added:,}."
            self._answer = f"{words} {self._count()}."
        self._on_change()

    def _parse(self, name: str, content: bytes | None) -> list[LabeledDrawing]:
        """Return the drawings of a file.

        Raises:
            ValueError: with a sentence that names the file.
        """
        if content is None:
            raise ValueError(
                f"The browser cannot read {shorten(name)}. Perhaps it was moved or changed, or is "
                "not on this computer yet. Choose it again."
            )
        # a byte that is not ASCII makes a file that is refused
        text = content.decode("ascii", errors="replace")
        return parse_text(text, name, self._class_names)
