"""Numbered tabs for the moves of a training step, with Back and Next."""

from __future__ import annotations

from collections.abc import Sequence

from anywidget import AnyWidget
from traitlets import Int, List, Unicode

from mnist_widgets.widgets.theme import read_static


class MoveList(AnyWidget):
    """Numbered tabs with the buttons Back and Next: the kernel's half of `move_list.js`.

    The keys Left, Right, Home and End work wherever the focus is in the same explorer, except in
    fields and lists, which use them.

    Args:
        names: of the moves.

    Attributes:
        names: of the moves, written by the kernel.
        move_index: of the chosen move, a trait. The page writes it, and Python code may.
    """

    _esm = read_static("elements.js", "move_list.js")

    names = List(Unicode()).tag(sync=True)
    move_index = Int(0).tag(sync=True)

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names=list(names))
        self.add_class("mw-moves")
