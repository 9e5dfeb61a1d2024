"""Widgets whose values the page derives and sets by `jsdlink`, without the kernel.

`jsdlink` also sends each value to the kernel, outside of any lock, so the kernel must not write
such a widget while it is a link's target.
"""

from __future__ import annotations

from bqplot import Bars, Label
from ipywidgets import HTML, Widget


class _Target(Widget):
    """Sends no echo to the page: each page of a kernel derives the values itself."""

    def trait_metadata(self, traitname: str, key: str, default: object = None) -> object:
        """Return a trait's metadata, with echoes switched off."""
        return False if key == "echo_update" else super().trait_metadata(traitname, key, default)


class LinkedHTML(_Target, HTML):
    """A line of HTML."""


class LinkedBars(_Target, Bars):
    """The bars of a chart."""


class LinkedLabel(_Target, Label):
    """Texts in a chart."""
