"""Controls for the settings of a run, built from their rows in the table of settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

from ipywidgets import BoundedIntText, Dropdown, HBox, Label, Widget

from mnist_widgets.runs.settings import Setting, Value
from mnist_widgets.widgets.parts.choices import written_by_code
from mnist_widgets.widgets.parts.controls import NOTHING, ROW
from mnist_widgets.widgets.parts.figures import widest_px
from mnist_widgets.widgets.parts.number_field import NumberField

LABEL_PX = 72
"""The width of the words before a row of controls."""


def build_control(setting: Setting) -> Any:  # noqa: ANN401 - widgets of several types
    """Return the control that chooses a setting: a list or a field."""
    label_px = widest_px([setting.label]) + 8
    options: dict[str, Any] = {
        "description": setting.label,
        "tooltip": setting.tooltip or setting.range.capitalize(),
        "style": {"description_width": "initial"},  # as wide as the words, which are never cut
    }

    def layout(value_px: float) -> dict[str, str]:
        return {"width": f"{label_px + value_px:.0f}px", "margin": "2px 10px 2px 2px"}

    labels = {name: choice.label for name, choice in (setting.choices or {}).items()}
    listed = [(label[0].upper() + label[1:], name) for name, label in labels.items()]
    if shown := listed or _list_numbers(setting, setting.suggestions):
        names = [each[0] if isinstance(each, tuple) else str(each) for each in shown]
        return Dropdown(options=shown, layout=layout(widest_px(names) + 52), **options)
    least, greatest = setting.limits
    if setting.is_whole:
        limits = {"min": int(least), "max": int(greatest)}
        digits = widest_px([str(greatest)])
        return BoundedIntText(layout=layout(digits + 38), **limits, **options)
    return NumberField(least, least, greatest, layout=layout(72), **options)


def show_value(control: Any, setting: Setting, value: Value) -> None:  # noqa: ANN401
    """Show a value of the setting in its control, which does not report it as a choice."""
    with written_by_code(control):
        if setting.suggestions and value is not None:
            numbers = {*setting.suggestions, cast(int, value)}
            control.options = _list_numbers(setting, sorted(numbers))
        setattr(control, trait_of(control), NOTHING if value is None else value)


def read_value(setting: Setting, chosen: Any) -> Any:  # noqa: ANN401 - values of several types
    """Return the value of the setting for what its control holds."""
    return None if setting.none and chosen == NOTHING else chosen


def _list_numbers(setting: Setting, numbers: Iterable[int]) -> Any:  # noqa: ANN401 - two forms
    """Return the options of a list of numbers, after the word for none if there may be none."""
    if not setting.none:
        return tuple(numbers)
    return [
        (setting.none.capitalize(), NOTHING),
        *((f"{number:,}", number) for number in numbers),
    ]


def trait_of(control: Widget) -> str:
    """Return the name of the trait that holds a control's value."""
    return "number" if isinstance(control, NumberField) else "value"


def lay_out_group(name: str, controls: list[Widget]) -> HBox:
    """Return a row with a heading; controls that wrap stay beside it, or below it if narrow."""
    heading = Label(name, style={"font_weight": "bold"}, layout={"width": f"{LABEL_PX}px"})
    return HBox(
        [heading, HBox(controls, layout={**ROW, "flex": "1 1 280px"})],
        layout={**ROW, "align_items": "flex-start"},
    )


def limit_images(setting: Setting, num_images: int | None) -> Setting:
    """Return the setting; that of the training images without numbers above `num_images`."""
    if setting.name != "train_images" or num_images is None:
        return setting
    fewer = tuple(number for number in setting.suggestions if number < num_images)
    return replace(setting, limits=(1, num_images), suggestions=fewer)
