"""A person's own test set: drawings with labels, which can be added, undone, saved and loaded."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence

from ipywidgets import HTML, HBox, VBox

from mnist_widgets.data.handwriting.drawing import Drawing
from mnist_widgets.data.handwriting.drawing_files import parse_text, write_text
from mnist_widgets.data.handwriting.drawing_sets import LabeledDrawing
from mnist_widgets.system.short_text import shorten
from mnist_widgets.widgets.parts.controls import ROW, LiveRegion, button, dropdown, notice
from mnist_widgets.widgets.parts.drawing.drawing_set import find_kept_set
from mnist_widgets.widgets.parts.drawing.file_buttons import MOST_LOADED_BYTES, FileButtons

_NO_LABEL = -1  # with None, ipywidgets shows an empty list in a new view


class OwnSet(VBox):
    """The controls of the set, and a line that says what it holds.

    Args:
        class_names: the names of the classes; all pads of a kernel with the same ones share a set.
        take: returns the drawing to add, and clears the canvas; raises a ValueError, whose message
            the person sees, if there is none.
        on_change: called when the controls must be redrawn, also after a change in another pad.

    Attributes:
        kept: the set.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        take: Callable[[], Drawing],
        on_change: Callable[[], None],
    ) -> None:
        self._class_names, self._take, self._on_change = class_names, take, on_change
        self.kept = find_kept_set(tuple(class_names))
        self.kept.add_listener(on_change)
        self._answer, self._errors, self._left_out = "", "", ""
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
        row = HBox([self._label, self._add, self._undo, self._files], layout=ROW)
        super().__init__([row, self._status, self._alert, self._spoken])
        self.add_class("mw-own-set")

    def close(self) -> None:
        """Remove the controls from the page; the set stays."""
        self.kept.remove_listener(self._on_change)
        super().close()

    def describe(self) -> str:
        """Say how many drawings of each class the set holds."""
        pairs = self.kept.drawings
        if not pairs:
            return "My set is empty."
        counts = Counter(label for _, label in pairs)
        each = ", ".join(f"{name}: {counts[label]}" for label, name in enumerate(self._class_names))
        noun = "drawing" if len(pairs) == 1 else "drawings"
        return f"My set: {len(pairs):,} {noun}. {each}."

    def forget_errors(self) -> None:
        """Take back what was wrong; called when the drawing changes."""
        self._errors = self._left_out = ""

    def redraw(self) -> None:
        """Update the widgets; called by the panel's `redraw`."""
        is_empty = not self.kept.drawings
        self._undo.disabled, self._files.can_save = is_empty, not is_empty
        self._status.value = html.escape(self.describe())
        words = " ".join(filter(None, (self._errors, self._left_out)))
        self._alert.value = notice(words, is_alert=bool(self._errors)) if words else ""
        self._spoken.words = self._errors or self._answer

    def _add_drawing(self) -> None:
        label, self._errors = self._label.value, ""
        if label == _NO_LABEL:
            self._errors = "Choose the label of this drawing, then press Add to my set."
        else:
            try:
                self.kept.add((self._take(), label))
            except ValueError as error:
                self._errors = str(error)
            else:
                self._answer = f"Added a {self._class_names[label]}. {self.describe()}"
        self._on_change()

    def _undo_addition(self) -> None:
        num_removed = self.kept.undo()
        self.forget_errors()
        self._answer = f"Removed {num_removed:,}. {self.describe()}"
        self._on_change()

    def _write(self) -> str | None:
        """Return the content of the file to save; None if it cannot be saved."""
        pairs = self.kept.drawings
        self.forget_errors()
        try:
            return write_text([drawing for drawing, _ in pairs], [label for _, label in pairs])
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
            self._answer = f"{words} {self.describe()}"
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
        return parse_text(text, name, len(self._class_names))
