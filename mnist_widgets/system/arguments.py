"""Check the arguments of public functions where a wrong one would fail later, without a reason."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TypeGuard


def check_kind(value: object, kind: type | tuple[type, ...], name: str, example: str) -> None:
    """Check that an argument is of a class.

    Args:
        value: the argument.
        kind: its class, or several.
        name: of the argument.
        example: an expression for a right one, such as `TrainingSession(trainer)`.

    Raises:
        TypeError: if it is of another class, or a class itself.
    """
    if isinstance(value, kind):
        return
    kinds = " or a ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
    found = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise TypeError(f"{name} must be a {kinds}, such as {example}, not {found}.")


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number of any type, such as numpy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def to_whole(value: object, name: str, lowest: int = 1) -> int:
    """Return a whole number of any type, such as numpy's, as an `int`.

    Raises:
        ValueError: if it is no whole number, or below `lowest`.
    """
    if not is_whole(value) or value < lowest:
        raise ValueError(f"{name} must be a whole number of at least {lowest}, not {value!r}.")
    return int(value)


def to_finite(value: object, name: str, lowest: float = 0) -> float:
    """Return a finite number of any type, such as numpy's, as a `float`.

    Raises:
        ValueError: if it is no finite number, or below `lowest`.
    """
    number = float(value) if not isinstance(value, bool) and isinstance(value, Real) else math.nan
    if not math.isfinite(number) or number < lowest:
        raise ValueError(f"{name} must be a finite number of at least {lowest}, not {value!r}.")
    return number
