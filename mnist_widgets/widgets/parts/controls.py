"""Lists, buttons and rows that look the same in all panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipywidgets import Button, Dropdown, Widget

ROW = {"flex_flow": "row wrap", "align_items": "center"}
"""The layout of widgets side by side, which wrap where the window is narrow."""


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


def disclosure(more: str, fewer: str, part: Widget, *, width_px: int) -> Button:
    """Return a button that shows a part, which is hidden at first, and hides it again.

    Args:
        more: the button's description while the part is hidden.
        fewer: its description while the part is shown.
        part: is shown and hidden.
        width_px: of the button.
    """
    part.layout.display = "none"

    def toggle() -> None:
        is_hidden = part.layout.display == "none"
        part.layout.display = None if is_hidden else "none"
        made.description = fewer if is_hidden else more

    made = button(more, f"{more}, or {fewer.lower()}", toggle, width_px=width_px)
    return made
