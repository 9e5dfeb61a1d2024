"""Widgets whose values the page derives and sets by `jsdlink`, without the kernel.

`jsdlink` also sends each value to the kernel, outside of any lock, so the kernel must not write
such a widget while it is a link's target.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bqplot import Bars, Label
from ipywidgets import HTML, Widget


class LinkTarget(Widget):
    """Sends nothing back to the page while the page writes it.

    It sends no echo, because each page of a kernel derives the values itself. It sends no converted
    value either: bqplot turns a list of numbers into an array, ipywidgets takes the array for
    another value and would send it to the page, and the chart would be drawn twice.
    """

    _page_keys: Collection[str] = ()  # of the traits that the page is writing now

    def trait_metadata(self, traitname: str, key: str, default: object = None) -> object:
        """Return a trait's metadata, with echoes switched off."""
        return False if key == "echo_update" else super().trait_metadata(traitname, key, default)

    def set_state(self, sync_data: dict[str, object]) -> None:
        """Set what the page has written."""
        self._page_keys = sync_data
        try:
            super().set_state(sync_data)
        finally:
            self._page_keys = ()

    def send_state(self, key: str | Iterable[str] | None = None) -> None:
        """Send what the kernel has written."""
        if not isinstance(key, str) or key not in self._page_keys:
            super().send_state(key)


class LinkedHTML(LinkTarget, HTML):
    """A line of HTML."""


class LinkedBars(LinkTarget, Bars):
    """The bars of a chart."""


class LinkedLabel(LinkTarget, Label):
    """Texts in a chart."""
