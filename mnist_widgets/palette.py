"""The colours of charts and frames, for light and for dark pages, and what they stand for.

The hues are from Okabe and Ito's palette, each chosen to stand out from its background: white, or
the grey of the dark theme. Style sheets use them as `--mw-strong` and so on, PNGs use the light
ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Color(NamedTuple):
    """One colour as CSS writes it, on light and on dark pages."""

    light: str
    dark: str


COLORS: Mapping[str, Color] = {
    "strong": Color("#0072b2", "#56b4e9"),  # of the bars of probabilities, too
    "faint": Color("#9fd2f1", "#1f6d9d"),  # between a blue and the background
    "mean": Color("#d55e00", "#e69f00"),
    "test": Color("#009e73", "#cc79a7"),
    # frames of images, which are black in both themes
    "right": Color("#009e73", "#009e73"),
    "wrong": Color("#d55e00", "#d55e00"),
}

LOSS_KEY: Mapping[str, str] = {
    "faint": "each batch",
    "strong": "smoothed",
    "mean": "mean of an epoch",
    "test": "test loss",
}
"""The lines and points of a loss chart, by the names of their colours."""


class Translucent(NamedTuple):
    """A colour that the page shines through, so that it serves light and dark pages."""

    rgb: tuple[int, int, int]
    alpha: float

    @property
    def css(self) -> str:
        """The colour as CSS writes it."""
        return f"rgba({', '.join(map(str, self.rgb))}, {self.alpha:g})"

    def over_white(self, strength: float = 1) -> str:
        """Return the colour on a white page, with a share `strength` of its alpha."""
        alpha = strength * self.alpha
        return "#" + "".join(f"{round(255 + alpha * (part - 255)):02x}" for part in self.rgb)


CELL = Translucent((30, 136, 210), 0.62)
"""The strongest cell of a confusion matrix; light enough for one colour of numbers on all cells."""
NO_CELL = CELL._replace(alpha=0)
DIAGONAL = Translucent((128, 128, 128), 0.22)
"""The cells of the diagonal while the mistakes are highlighted."""


def css_variables() -> str:
    """Return style rules that define all colours for the panels."""
    light, dark = (
        "".join(f"--mw-{name}: {color[theme]}; " for name, color in COLORS.items())
        for theme in (0, 1)
    )
    cells = f"--mw-cell: {CELL.css}; --mw-no-cell: {NO_CELL.css}; --mw-diagonal: {DIAGONAL.css}; "
    return f'.mw-panel {{ {light}{cells}}}\n[data-jp-theme-light="false"] .mw-panel {{ {dark}}}\n'
