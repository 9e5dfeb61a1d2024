"""Fields to type a number into, with a decimal point or a decimal comma."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ipywidgets import HTML, HBox, Text
from traitlets import Float, validate

from mnist_widgets.runs.choices import format_number, read_number


class NumberField(Text):
    """A text field whose `number` is what was typed, "0.01" and "0,01" alike.

    The number fields of ipywidgets are `<input type="number">`. In a browser whose language has a
    decimal point, such a field drops a typed comma, and "0,01" becomes 1.

    Args:
        number: the number shown first.
        least: replaces smaller numbers.
        greatest: replaces larger numbers.
        options: arguments of `Text`.

    Attributes:
        number: the number shown, a trait. The last one replaces a text that is not a number.
    """

    number = Float()

    def __init__(self, number: float, least: float, greatest: float, **options: Any) -> None:  # noqa: ANN401 - passed on
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


class PercentField(HBox):
    """A field for a share in per cent, which may stay empty.

    Args:
        description: its label.
        tooltip: explains it.
        label_px: the width of the label.
    """

    def __init__(self, description: str, tooltip: str, *, label_px: int) -> None:
        self._text = Text(
            description=description,
            tooltip=tooltip,
            continuous_update=False,
            style={"description_width": f"{label_px}px"},
            layout={"width": f"{label_px + 52}px"},
        )
        super().__init__([self._text, HTML("%")])

    def read(self) -> float | None:
        """Return the share typed in, 0 to 1; None if the field is empty.

        Raises:
            ValueError: if it is not a number from 0 to 100.
        """
        text = self._text.value.strip().removesuffix("%").strip()
        if not text:
            return None
        with suppress(ValueError):
            if 0 <= (percent := read_number(text)) <= 100:
                return percent / 100
        raise ValueError(
            f"{self._text.description} {text!r} %: write a number from 0 to 100, or leave the "
            "field empty."
        )

    def lock(self, is_locked: bool) -> None:
        """Refuse other numbers, or take them again."""
        self._text.disabled = is_locked
