"""The result of a check: which criteria passed, and one hint; as text and as a card."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from html import escape

from mnist_widgets.rendering.palette import LIGHT

_WIDTH = 88
# The words carry the meaning. Symbols, which screen readers skip, and colours only add to them.
# These two colours are also visible on dark pages.
_STATES = {
    True: ("passed", "✓", LIGHT["right"]),
    False: ("not passed", "✗", LIGHT["wrong"]),
    None: ("not reached", "·", "var(--jp-border-color1, #9e9e9e)"),
}
_FAINT = "color:var(--jp-content-font-color2, inherit)"
_ITEM = "margin:0.2em 0 0 1.5em;text-indent:-1.5em"  # the lines after the first are indented
_CARD = (
    "max-width:60em;padding:0.6em 1em;border:1px solid var(--jp-border-color2, #9e9e9e);"
    "border-left:5px solid {accent};border-radius:3px;color:var(--jp-content-font-color1, inherit);"
    "font-family:var(--jp-ui-font-family, sans-serif);font-size:var(--jp-ui-font-size1, 13px);"
    "line-height:1.5"
)


@dataclass(frozen=True)
class Detail:
    """The result of one criterion.

    Attributes:
        criterion: what should hold, as a claim.
        passed: whether it holds; None if an earlier criterion failed, so it was not checked.
        numbers: what was expected and found; empty if it was not checked.
    """

    criterion: str
    passed: bool | None = None
    numbers: str = ""

    def __str__(self) -> str:
        """The line for a terminal, with a hanging indent."""
        word = f"{_STATES[self.passed][0]:12s}"
        text = f"{self.criterion}: {self.numbers}" if self.numbers else self.criterion
        return textwrap.fill(f"{word}{text}", _WIDTH, subsequent_indent=" " * 12)

    def to_html(self) -> str:
        """The item in the list of the card."""
        word, symbol, _ = _STATES[self.passed]
        mark = f'<span aria-hidden="true">{symbol}</span> <strong>{word}</strong>'
        item = f"{mark}: {_mark_code(self.criterion)}"
        if self.numbers:
            item += f'<br><span style="{_FAINT}">{_mark_code(self.numbers)}</span>'
        return f'<li style="{_ITEM}">{item}</li>'


@dataclass(frozen=True, repr=False)
class Verdict:
    """The result of a check; true in a condition if every criterion holds.

    A notebook shows it as a card, a terminal as text. `marks.award` turns it into points.

    Attributes:
        passed: whether every criterion holds.
        hint: advice; empty if passed.
        details: one for each criterion, in order.
        exercise: the name of the check.
        mistake: a code for the mistake that does not change; empty if passed.
        hint_number: starts at 1; another call with the same mistake gives the next hint.
        num_hints: the number of hints for this mistake.
    """

    passed: bool
    hint: str = ""
    details: tuple[Detail, ...] = ()
    exercise: str = ""
    mistake: str = ""
    hint_number: int = 0
    num_hints: int = 0

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        """The verdict for a terminal."""
        hint = f"{self._hint_title} {self.hint}" if self.hint else ""
        wrapped = [textwrap.fill(line, _WIDTH) for line in hint.splitlines()]
        return "\n".join([self._title, *map(str, self.details), *wrapped])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        state = None if self.mistake == "unsolved" else self.passed
        _, symbol, accent = _STATES[state]
        title = f'<span aria-hidden="true">{symbol}</span> {escape(self._title)}'
        items = "".join(detail.to_html() for detail in self.details)
        hint = (
            f'<p style="margin:0.4em 0 0;white-space:pre-line"><strong>{self._hint_title}</strong> '
            f"{_mark_code(self.hint)}</p>"
            if self.hint
            else ""
        )
        return (
            f'<div role="group" aria-label="{escape(self._title)}" '
            f'style="{_CARD.format(accent=accent)}">'
            f'<p style="margin:0 0 0.4em;font-size:1.1em"><strong>{title}</strong></p>'
            f'<ul role="list" style="list-style:none;margin:0;padding:0">{items}</ul>{hint}</div>'
        )

    @property
    def _title(self) -> str:
        num_passed = sum(detail.passed is True for detail in self.details)
        result = "not solved yet" if self.mistake == "unsolved" else "not passed yet"
        if self.passed:
            result = "passed"
        return f"{self.exercise}: {result}, {num_passed} of {len(self.details)} criteria met"

    @property
    def _hint_title(self) -> str:
        return f"Hint {self.hint_number} of {self.num_hints}:" if self.num_hints > 1 else "Hint:"


def _mark_code(text: str) -> str:
    """Return `text` as HTML, with the parts in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
