"""The drawings that a person has added: they stay while the kernel runs."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from mnist_widgets.data.handwriting.drawing_sets import LabeledDrawing, merge_files
from mnist_widgets.system.listeners import HasListeners


class DrawingSet(HasListeners):
    """A set of drawings with labels; it calls its listeners after each change.

    Attributes:
        file_name: proposed for saving. It is like no other, because the files of a class come
            together in one folder, and it names no person.
    """

    def __init__(self) -> None:
        super().__init__()
        self._additions: list[list[LabeledDrawing]] = []  # of one drawing or of some files each
        self.file_name = f"my_digits_{secrets.token_hex(3)}.json"

    @property
    def drawings(self) -> list[LabeledDrawing]:
        """The drawings with their labels, in the order in which they were added."""
        return [pair for addition in self._additions for pair in addition]

    def require_drawings(self) -> list[LabeledDrawing]:
        """Return `drawings`.

        Raises:
            ValueError: if there are none.
        """
        drawings = self.drawings
        if not drawings:
            raise ValueError(
                "The set is empty. Draw a digit, choose its label, and press Add to my set."
            )
        return drawings

    def add(self, drawing: LabeledDrawing) -> None:
        """Add a drawing."""
        self._append([drawing])

    def merge(self, files: Iterable[list[LabeledDrawing]]) -> tuple[int, int]:
        """Add the drawings of files that are not in the set yet, as one addition.

        Returns:
            How many were added, and how many left out.
        """
        added, num_left_out = merge_files(files, self.drawings)
        if added:
            self._append(added)
        return len(added), num_left_out

    def undo(self) -> int:
        """Remove the newest addition, if there is one; return how many drawings it had."""
        num_removed = len(self._additions.pop()) if self._additions else 0
        self.call_listeners()
        return num_removed

    def remove(self, index: int) -> None:
        """Remove one drawing.

        Args:
            index: its position in `drawings`, counted from 0.

        Raises:
            IndexError: if there is no such drawing.
        """
        num_drawings = len(self.drawings)
        if not 0 <= index < num_drawings:
            held = f"{num_drawings:,}, counted from 0" if num_drawings else "none"
            raise IndexError(f"The set has no drawing {index}: it has {held}.")
        for addition in self._additions:
            if index < len(addition):
                del addition[index]
                break
            index -= len(addition)
        self._additions = list(filter(None, self._additions))
        self.call_listeners()

    def _append(self, addition: list[LabeledDrawing]) -> None:
        self._additions.append(addition)
        self.call_listeners()


def find_kept_set(class_names: tuple[str, ...]) -> DrawingSet:
    """Return the kernel's set of drawings of these classes: all pads of these classes share it.

    So nothing is lost when a cell is run again that makes a pad or a lab.
    """
    return kept_sets.setdefault(class_names, DrawingSet())


kept_sets: dict[tuple[str, ...], DrawingSet] = {}
