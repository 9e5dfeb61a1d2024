"""Controls for the settings of a run, built from their rows in the table of settings."""

from __future__ import annotations

import math
from typing import Any

from ipywidgets import BoundedIntText, Dropdown, FloatLogSlider, Widget

from mnist_widgets.runs.settings import Setting
from mnist_widgets.widgets.parts.choices import written_by_code
from mnist_widgets.widgets.parts.number_field import NumberField

STYLE = {"description_width": "96px"}
"""The style of all controls of a panel: their labels have the same width."""


def build_controls(setting: Setting) -> list[Widget]:
    """Return the controls that choose a setting: one, or a field with a slider."""
    options: dict[str, Any] = {
        "description": setting.label,
        "tooltip": setting.tooltip or setting.range.capitalize(),
        "style": STYLE,
    }
    labels = {name: choice.label for name, choice in (setting.choices or {}).items()}
    listed = [(label[0].upper() + label[1:], name) for name, label in labels.items()]
    if shown := listed or setting.suggestions:
        return [Dropdown(options=shown, layout={"width": "290px"}, **options)]
    least, greatest = setting.limits
    layout = {"width": "190px"}
    if setting.is_whole:
        limits = {"min": int(least), "max": int(greatest)}
        return [BoundedIntText(layout=layout, **limits, **options)]
    # The field gives screen readers the name that the slider cannot give.
    field = NumberField(least, least, greatest, layout=layout, **options)
    if not setting.has_log_slider:
        return [field]
    powers = {"min": math.log10(least), "max": math.log10(greatest)}
    return [field, FloatLogSlider(**powers, readout=False, layout={"flex": "1 1 90px"})]


def show_value(control: Widget, setting: Setting, value: float | str) -> None:
    """Show a value of the setting in a control, which does not report it as a choice."""
    with written_by_code(control):
        if setting.suggestions and isinstance(control, Dropdown) and value not in control.options:
            control.options = sorted({*control.options, value})
        if not shows_value(control, value):
            setattr(control, trait_of(control), value)


def shows_value(control: Widget, value: float | str) -> bool:
    """Return whether a control shows a value as exactly as it can.

    The page moves a log slider to its nearest step, and reports this as if a person had done it.
    """
    if isinstance(control, FloatLogSlider):
        distance = math.log10(control.value) - math.log10(float(value))
        return abs(distance) <= control.step / 2 + 1e-9
    return bool(getattr(control, trait_of(control)) == value)


def read_value(control: Widget) -> object:
    """Return the value that a control shows; the slider's steps are rounded to two digits."""
    value: object = getattr(control, trait_of(control))
    return float(f"{value:.2g}") if isinstance(control, FloatLogSlider) else value


def trait_of(control: Widget) -> str:
    """Return the name of the trait that holds a control's value."""
    return "number" if isinstance(control, NumberField) else "value"
