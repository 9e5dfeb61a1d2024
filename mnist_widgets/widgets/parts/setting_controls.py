"""Controls for the settings of a run, built from their rows in the table of settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ipywidgets import BoundedIntText, Dropdown, Widget

from mnist_widgets.runs.settings import Setting, Value
from mnist_widgets.widgets.parts.choices import written_by_code
from mnist_widgets.widgets.parts.figures import widest_px
from mnist_widgets.widgets.parts.number_field import NumberField


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
        if setting.suggestions and isinstance(value, int):
            control.options = _list_numbers(setting, sorted({*setting.suggestions, value}))
        setattr(control, trait_of(control), value)


def _list_numbers(setting: Setting, numbers: Iterable[int]) -> Any:  # noqa: ANN401 - two forms
    """Return the options of a list of numbers, after the word for none if there may be none."""
    if not setting.none:
        return tuple(numbers)
    return [
        (setting.none.capitalize(), None),
        *((f"{number:,}", number) for number in numbers),
    ]


def trait_of(control: Widget) -> str:
    """Return the name of the trait that holds a control's value."""
    return "number" if isinstance(control, NumberField) else "value"
