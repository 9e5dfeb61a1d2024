"""Tables of text, written as plain text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """Cells of text; the first column names the rows.

    Attributes:
        titles: of the columns.
        rows: each as long as the titles.
        caption: explains the table.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    @property
    def text(self) -> str:
        """The table in aligned columns, below its caption."""
        lines = [self.titles, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = (
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )
        return "\n".join([self.caption, *aligned] if self.caption else aligned)

    @property
    def html(self) -> str:
        """The table with headers for screen readers."""
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in self.titles)
        body = "".join(
            f'<tr><th scope="row">{html.escape(first)}</th>'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            + "</tr>"
            for first, *cells in self.rows
        )
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
