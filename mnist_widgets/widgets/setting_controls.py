"""Read the value of a control of the settings, which may be one of several kinds of widget."""

from __future__ import annotations

import math

from ipywidgets import FloatLogSlider, Widget

from mnist_widgets.widgets.number_field import NumberField


def agrees(control: Widget, setting: float | str) -> bool:
    """Return whether a control shows a setting, as near as it can.

    The page moves a log slider to its nearest step, and reports this like a change by the user.
    """
    if isinstance(control, FloatLogSlider):
        distance = math.log10(control.value) - math.log10(float(setting))
        return abs(distance) <= control.step / 2 + 1e-9
    return bool(getattr(control, trait_of(control)) == setting)


def trait_of(control: Widget) -> str:
    """Return the name of the trait that holds the value of a control."""
    return "number" if isinstance(control, NumberField) else "value"


def setting_of(control: Widget) -> object:
    """Return the value of a control; the steps of the slider are rounded to two digits."""
    value: object = getattr(control, trait_of(control))
    return float(f"{value:.2g}") if isinstance(control, FloatLogSlider) else value
