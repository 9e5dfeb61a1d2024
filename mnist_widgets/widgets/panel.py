"""What all panels share: the style sheet, their CSS classes, and a clean end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ipywidgets import HTML, VBox, Widget

from mnist_widgets.widgets.theme import style_sheet


class Panel(VBox):
    """A column of widgets under one CSS class, closed together.

    Args:
        css_class: names the panel's root for style sheets and tests.
        children: from top to bottom.
    """

    _parts_off_page: Sequence[Widget] = ()  # what a panel keeps ready beside what it shows

    def __init__(self, css_class: str, children: Sequence[Widget]) -> None:
        super().__init__(children=[style_sheet(), *children])
        self.add_class("mw-panel").add_class(css_class)

    def close(self) -> None:
        """Take the panel off the page, with every widget that it is made of."""
        parts: set[Widget] = set()
        for widget in (self, *self._parts_off_page):
            _collect_parts(widget, parts)
        super().close()
        for part in parts - {self}:
            part.close()


def text_line(css_class: str, **layout: str) -> HTML:
    """Return an empty line of text under a CSS class of its own."""
    return HTML(layout=layout).add_class(css_class)


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


def _collect_parts(widget: Widget, parts: set[Widget]) -> None:
    """Add `widget` to `parts`, and every widget that its synchronized traits lead to."""
    if widget not in parts:
        parts.add(widget)
        for name in widget.keys:
            for part in _widgets_in(getattr(widget, name)):
                _collect_parts(part, parts)


def _widgets_in(value: object) -> Iterator[Widget]:
    if isinstance(value, Widget):
        yield value
    elif isinstance(value, dict):
        yield from _widgets_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        items: Iterable[object] = value
        for item in items:
            yield from _widgets_in(item)
