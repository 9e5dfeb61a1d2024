"""A field to type a number into, with a decimal point or a decimal comma."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ipywidgets import Text
from traitlets import Float, validate

from mnist_widgets.settings import format_number, read_number


class NumberField(Text):
    """A text field whose `number` is what was typed, "0.01" and "0,01" alike.

    The number fields of ipywidgets are `<input type="number">`. Where the browser's language has a
    decimal point, these drop a comma as it is typed, and "0,01" becomes 1.

    Args:
        number: to begin with.
        least: smaller numbers become this one.
        greatest: greater numbers become this one.
        options: of a `Text`.

    Attributes:
        number: the number shown, a trait. Text that is no number is replaced by the number before.
    """

    number = Float()

    def __init__(self, number: float, least: float, greatest: float, **options: Any) -> None:  # noqa: ANN401 - handed on
        self._limits = least, greatest
        super().__init__(number=number, continuous_update=False, **options)
        self._show_number()
        self.observe(self._on_text, names="value")
        self.observe(self._show_number, names="number")

    @validate("number")
    def _clamp(self, proposal: dict[str, float]) -> float:
        least, greatest = self._limits
        return min(max(proposal["value"], least), greatest)

    def _on_text(self, change: dict[str, Any]) -> None:
        with suppress(ValueError):
            self.number = read_number(change["new"])
        self._show_number()

    def _show_number(self, _change: object = None) -> None:
        self.value = format_number(self.number)
