"""The kit's look, in one style sheet for all panels."""

from __future__ import annotations

from pathlib import Path

from ipywidgets import HTML

from mnist_widgets.rendering.palette import css_variables

_FILES = (
    "panels.css",
    "probability_chart.css",
    "confusion_chart.css",
    "runs.css",
    "step_explorer.css",
    "drawing_pad.css",
)


def read_static(*names: str) -> str:
    """Return the text of some files of the folder `static`, one after the other."""
    folder = Path(__file__).with_name("static")
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


_CSS = css_variables() + read_static(*_FILES)


def style_sheet(more_css: str = "") -> HTML:
    """Return an invisible widget that brings the panels' style sheet along, as a panel's child.

    Args:
        more_css: what one panel adds to it.
    """
    return HTML(f"<style>{_CSS}{more_css}</style>", layout={"display": "none"})
