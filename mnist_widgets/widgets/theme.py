"""The kit's look, in one style sheet for all panels."""

from __future__ import annotations

from pathlib import Path

from ipywidgets import HTML

_CSS = (Path(__file__).with_name("static") / "panels.css").read_text(encoding="utf-8")


def style_sheet() -> HTML:
    """Return an invisible widget that brings the panels' style sheet along, as a panel's child."""
    return HTML(f"<style>{_CSS}</style>", layout={"display": "none"})
