"""Mistakes that a check recognizes, and the choice of the next hint."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor

Hints: TypeAlias = Mapping[str, Sequence[str]]
"""The hints for each mistake, from the first question to the solution."""

_counts: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)


class Mistake(Exception):  # noqa: N818 - it is the student's mistake, not an error of the program
    """Raised by a check when it recognizes what is wrong.

    Attributes:
        name: a code that does not change; the key of its hints.
        found: what was expected and found, in words.
        values: fill the placeholders in the hints.
    """

    def __init__(self, name: str, found: str, /, **values: object) -> None:
        super().__init__(f"{name}: {found}")
        self.name = name
        self.found = found
        self.values = {"found": found, **values}


def rule_out(found: str, mistakes: Mapping[str, object], /, **values: object) -> str:
    """Return `found`, or raise the first mistake whose condition is true.

    Args:
        found: what was expected and found.
        mistakes: by name, whether the mistake was made.
        values: fill the placeholders in the hints.

    Raises:
        Mistake: the first one that was made.
    """
    for name, is_made in mistakes.items():
        if is_made:
            raise Mistake(name, found, **values)
    return found


def name_variant(
    values: Tensor, variants: Iterable[tuple[str, Tensor]], otherwise: str = ""
) -> str:
    """Return the name of the first variant that equals `values`, to 0.1 % plus 0.0001.

    If none does, return `otherwise`.
    """
    for name, variant in variants:
        is_like = values.shape == variant.shape
        if is_like and torch.allclose(values.double(), variant.double(), rtol=1e-3, atol=1e-4):
            return name
    return otherwise


def compare(
    found: str,
    values: Tensor,
    expected: Tensor,
    variants: Iterable[tuple[str, Tensor]],
    otherwise: str,
    /,
    **hint_values: object,
) -> str:
    """Return `found` if the values are as expected, to 0.0001.

    Args:
        found: what was expected and found, in words.
        values: of the shape of `expected`.
        expected: the right values.
        variants: the values that known mistakes give.
        otherwise: the mistake if no variant fits.
        hint_values: fill the placeholders in the hints.

    Raises:
        Mistake: the first variant that fits, or `otherwise`.
    """
    if torch.allclose(values.double(), expected.double(), atol=1e-4):  # a GPU adds in another order
        return found
    raise Mistake(name_variant(values, variants, otherwise), found, **hint_values)


@contextmanager
def recognized(errors: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """Raise a mistake in place of an error whose message contains known words.

    Args:
        errors: by these words, the name of the mistake and what was found.
    """
    try:
        yield
    except Exception as error:
        for message, (name, found) in errors.items():
            if message in str(error):
                raise Mistake(name, found) from error
        raise


def choose_hint(exercise: str, mistake: Mistake, hints: Hints) -> tuple[str, int, int]:
    """Return the next hint for a mistake, its number and the number of hints.

    The first time gives the first hint, each further time the next, up to the last. Different
    Python errors count as different mistakes.
    """
    own_hints = hints[mistake.name]
    key = (mistake.name, mistake.found if mistake.name == "raises" else "")
    _counts[exercise][key] += 1
    number = min(_counts[exercise][key], len(own_hints))
    return own_hints[number - 1].format(**mistake.values), number, len(own_hints)


def reset_hints(exercise: str) -> None:
    """Start again with the first hint of each mistake in one exercise."""
    _counts.pop(exercise, None)


def start_over() -> None:
    """Start again with the first hint of every mistake, in all checks."""
    _counts.clear()
