"""Lists, buttons, notices and explanations that look and work the same in all panels."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from anywidget import AnyWidget
from ipywidgets import Button, Dropdown, Widget
from traitlets import Bool, Unicode

from mnist_widgets.rendering.captions import to_html
from mnist_widgets.widgets.theme import read_static

ROW = {"flex_flow": "row wrap", "align_items": "center"}
"""The layout of widgets side by side, which wrap where the window is narrow."""
NOTHING = -1
"""The value of a list's option for nothing. For None, ipywidgets would show an empty field."""


def dropdown(
    description: str,
    tooltip: str,
    options: Sequence[tuple[str, object]],
    *,
    label_px: int,
    width_px: float,
) -> Dropdown:
    """Return a list to choose from.

    Args:
        description: its label.
        tooltip: explains it.
        options: (name, value) of each.
        label_px: the width of the label.
        width_px: the width with the label.
    """
    return Dropdown(
        description=description,
        tooltip=tooltip,
        options=options,
        style={"description_width": f"{label_px}px"},
        layout={"width": f"{width_px:.0f}px"},
    )


def button(
    description: str, tooltip: str, on_click: Callable[[], None], *, width_px: int = 66
) -> Button:
    """Return a button whose CSS class is `mw-` and the first word of its description."""
    made = Button(description=description, tooltip=tooltip, layout={"width": f"{width_px}px"})
    made.on_click(lambda _button: on_click())
    return made.add_class(f"mw-{description.split(maxsplit=1)[0].lower()}")


class Disclosure(AnyWidget):
    """A button that shows a part, which is hidden at first, and hides it again.

    A part that a press opens is scrolled into view; one that code opens is not. ipywidgets' buttons
    do not tell screen readers whether they are pressed.

    Args:
        more: the button's words while the part is hidden.
        fewer: its words while the part is shown.
        part: is shown and hidden.
        width_px: of the button.

    Attributes:
        is_open: whether the part is shown, a trait.
    """

    _esm = read_static("elements.js", "disclosure.js")

    more = Unicode().tag(sync=True)
    fewer = Unicode().tag(sync=True)
    part_class = Unicode().tag(sync=True)  # a CSS class by which the page finds the part
    is_open = Bool(False).tag(sync=True)

    def __init__(self, more: str, fewer: str, part: Widget, *, width_px: int) -> None:
        part_class = f"mw-part-{part.model_id}"
        part.add_class(part_class)
        layout = {"width": f"{width_px}px"}
        super().__init__(more=more, fewer=fewer, part_class=part_class, layout=layout)
        self.add_class("mw-more")
        self._part = part
        self._show_part()
        self.observe(self._show_part, names="is_open")
        self.on_msg(self._on_request)

    def _on_request(self, _button: object, request: dict[str, bool], _buffers: object) -> None:
        self.is_open = request["is_open"]

    def _show_part(self, _change: object = None) -> None:
        self._part.layout.display = None if self.is_open else "none"


class FocusKeeper(AnyWidget):
    """Moves the focus to another button of its row when the focused one is disabled, and back.

    Without it, a person at the keyboard would have to begin at the top of the page again. It is not
    seen; it stands in the box of the buttons.
    """

    _esm = read_static("focus_keeper.js")

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})


class LiveRegion(AnyWidget):
    """Words that are not seen: screen readers read them aloud when they change.

    An `HTML` widget cannot do this: it replaces its elements, and most screen readers read only
    what changes within an element that stays.

    Attributes:
        words: plain text, a trait.
    """

    _esm = read_static("live_region.js")

    words = Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.add_class("mw-spoken")

    def say(self, words: str) -> None:
        """Let words be read aloud, also if they are the same as before.

        They differ by a space then, as those of WordPress (`wp.a11y.speak`).
        """
        self.words = f"{words}\N{NO-BREAK SPACE}" if words == self.words else words


def notice(words: str, *, is_alert: bool = False) -> str:
    """Return plain text as HTML that can be scrolled by keyboard where it is longer than its place.

    Args:
        words: the text.
        is_alert: whether something is wrong.
    """
    css_class = "mw-notice mw-alert" if is_alert else "mw-notice"
    name = "Error" if is_alert else "Notice"
    return f'<div class="{css_class}" aria-label="{name}" {_SCROLLABLE}>{to_html(words)}</div>'


def code_box(code: str) -> str:
    """Return code as HTML that scrolls sideways, by keyboard too."""
    return f'<pre class="mw-code" aria-label="Code" {_SCROLLABLE}>{html.escape(code)}</pre>'


def popover(label: str, name: str, content: str, owner: Widget) -> str:
    """Return a button as HTML that opens content above the page, which does not move.

    The browser closes it by Escape, by a second press, and by a click elsewhere.

    Args:
        label: of the button.
        name: of button and content, for screen readers.
        content: HTML.
        owner: the widget that shows this HTML, and no other popover.
    """
    target = "" if owner.comm is None else f"mw-{owner.model_id}"  # a closed panel is not on a page
    return (
        f'<button class="mw-opener" popovertarget="{target}" onclick="{_OPEN_NEXT}" '
        f'aria-label="{name}">{label}</button>'
        f'<div id="{target}" class="mw-popover" popover aria-label="{name}" {_SCROLLABLE}>'
        f"{content}</div>"
    )


# In a second view of a widget, the content has the same id as in the first.
_OPEN_NEXT = "this.popoverTargetElement = this.nextElementSibling"

# JupyterLab would take the arrow keys to move to another cell.
_SCROLLABLE = 'tabindex="0" role="group" data-lm-suppress-shortcuts="true"'
