"""A mistake that a check has recognized, and which of its hints is due.

What the hints say is left to `hints`, who makes which mistake to the checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Hints: TypeAlias = Mapping[str, Sequence[str]]
"""For each mistake its hints, from the first nudge to the explicit one."""

_times_made: Counter[tuple[str, str, str]] = Counter()


class Mistake(Exception):  # noqa: N818 - it is the student's, and found rather than suffered
    """Raised by a check when it has recognized what is wrong.

    Attributes:
        name: stays the same for programs; the key of its hints.
        found: what was expected and found, in words.
        figures: what the hints' texts are filled in with.
    """

    def __init__(self, name: str, found: str, /, **figures: object) -> None:
        super().__init__(f"{name}: {found}")
        self.name = name
        self.found = found
        self.figures = {"found": found, **figures}


def choose_hint(exercise: str, mistake: Mistake, hints: Hints) -> tuple[str, int, int]:
    """Return the hint that is due, its number and how many there are.

    The first time that an exercise's mistake is made its first hint is due, then the next, and
    from there on the last. Of errors that Python raises, each is a mistake of its own.
    """
    ladder = hints[mistake.name]
    key = (exercise, mistake.name, mistake.found if mistake.name == "raises" else "")
    _times_made[key] += 1
    number = min(_times_made[key], len(ladder))
    return ladder[number - 1].format(**mistake.figures), number, len(ladder)


def forget_mistakes(exercise: str) -> None:
    """Begin again with the first hints of this exercise."""
    for key in [key for key in _times_made if key[0] == exercise]:
        del _times_made[key]


def start_over() -> None:
    """Begin again with the first hint of every mistake, in all the checks."""
    _times_made.clear()
