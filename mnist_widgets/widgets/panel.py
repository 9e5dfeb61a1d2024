"""The base class of all panels: style sheet, CSS classes, static view, and clean-up."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from IPython.display import display
from ipywidgets import HTML, VBox, Widget

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.widgets.redraws import scheduler
from mnist_widgets.widgets.static_output import hide_static_view, static_view_writer, to_bundle
from mnist_widgets.widgets.theme import style_sheet


class Panel(VBox):
    """A column of widgets under one CSS class, which are closed together.

    As the last line of a cell it leaves two outputs: itself, and below it its static view, which
    replaces it where there is no kernel. A panel within another widget has no static view in the
    notebook.

    Args:
        css_class: names the panel's root for style sheets and tests.
        children: from top to bottom.

    Attributes:
        view_class: a CSS class of this panel's static view alone.
    """

    children: tuple[Widget, ...]
    _parts_off_page: Sequence[Widget] = ()  # widgets of the panel that are not on the page now

    def __init__(self, css_class: str, children: Sequence[Widget]) -> None:
        self.view_class = f"mw-static-{uuid.uuid4().hex[:12]}"  # like no other
        super().__init__(children=[style_sheet(hide_static_view(self.view_class)), *children])
        self.add_class("mw-panel").add_class(css_class)

    def __del__(self) -> None:
        """Close the panel, unless its arguments were refused before it had widgets."""
        if "view_class" in vars(self):
            self.close()

    def close(self) -> None:
        """Remove the panel and all its widgets from the page; its static view stays."""
        static_view_writer.forget(self)
        parts = self._parts()
        super().close()
        for part in parts - {self}:
            part.close()

    def show_heading(self, title: str, *, is_hidden: bool = False) -> None:
        """Show a heading at the top.

        Args:
            title: the heading.
            is_hidden: whether it is for screen readers only.
        """
        shown = heading(title)
        if is_hidden:
            shown.add_class("mw-spoken")
        self.children = (shown, *self.children)

    def on_shown(self, is_shown: bool) -> None:
        """Note that a button of the lab has shown or hidden the panel."""

    def redraw(self) -> None:
        """Update the widgets from the data; called by the redraw scheduler."""

    def schedule_redraw(self, _change: object = None, *, urgent: bool = False) -> None:
        """Request a redraw, from any thread; also a handler for `observe` and listeners.

        Args:
            urgent: whether a person waits for it.
        """
        scheduler.schedule(self.redraw, urgent=urgent)

    def mark_static_view_stale(self) -> None:
        """Note that the static view must be written again; the last line of each `redraw`."""
        static_view_writer.mark_stale(self)

    def static_view(self) -> StaticView:
        """Return the panel's content as text and as HTML without widgets; called in any thread."""
        return StaticView.of_words(f"A {type(self).__name__}, to be seen while the notebook runs.")

    def _ipython_display_(self) -> None:
        """Show the panel and its static view; IPython calls this method to display the panel."""
        if self.comm is None:  # closed
            display(to_bundle(self.static_view(), self.view_class), raw=True)
            return
        bundle = dict(self._repr_mimebundle_())
        bundle["text/plain"] = f"{type(self).__name__}, live while its kernel runs. It showed:"
        display(bundle, raw=True)
        panels = [part for part in self._parts() if isinstance(part, Panel)]
        static_view_writer.show(self, panels)

    def _parts(self) -> set[Widget]:
        parts: set[Widget] = set()
        _collect_parts([self, *self._parts_off_page], parts)
        return parts


class SessionPanel(Panel):
    """A panel of a session, which has one of each type, so a cell can be run again.

    Attributes:
        session: set before the panel is built.
    """

    session: TrainingSession

    def close(self) -> None:
        """Remove the panel from the page; the session continues."""
        _session_panels.discard(self)
        super().close()

    def _replace_older(self) -> None:
        """Close the panels of this type that show this session or a closed one."""
        for panel in tuple(_session_panels):
            is_replaced = panel.session is self.session or panel.session.is_closed
            if is_replaced and type(panel) is type(self):
                panel.close()
        _session_panels.add(self)


_session_panels: weakref.WeakSet[SessionPanel] = weakref.WeakSet()


def text_line(css_class: str, **layout: str) -> HTML:
    """Return an empty line of text under a CSS class of its own."""
    return HTML(layout=layout).add_class(css_class)


def heading(title: str) -> HTML:
    """Return the heading of a panel."""
    return HTML(f"<h3>{title}</h3>").add_class("mw-title")


def check_names(argument: str, names: Iterable[str], known: Collection[str]) -> set[str]:
    """Return the names that an argument holds, which may also be a single one.

    Raises:
        ValueError: if one of them is not `known`.
    """
    chosen = {names} if isinstance(names, str) else set(names)
    if unknown := chosen - set(known):
        raise ValueError(
            f"{argument} names {', '.join(sorted(map(repr, unknown)))}, but here it can name "
            f"{', '.join(sorted(known))}."
        )
    return chosen


def _collect_parts(value: Any, parts: set[Widget]) -> None:  # noqa: ANN401 - of any trait
    """Add the widgets that `value` is or holds to `parts`, and all that their traits lead to."""
    if isinstance(value, Widget) and value not in parts:
        parts.add(value)
        value = [getattr(value, name) for name in value.keys]
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            _collect_parts(item, parts)
