"""Write numbers so that a reader can calculate with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_DIGITS = 4
_MAX_DECIMALS = 9


def format_value(value: float, digits: int = _DIGITS) -> str:
    """Return a number with some significant digits, such as `0.3100`, `-12.40` or `3.100e-06`."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        exponent = math.floor(math.log10(abs(value)))
        return _write(value, max(0, digits - 1 - exponent))
    return f"{value:.{digits - 1}e}"


def format_sum(values: Sequence[float], digits: int = _DIGITS) -> list[str]:
    """Return the parts of a sum with the same number of decimals, so that they add up.

    The largest number has `digits` significant digits.
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0:
        return [format_value(value, digits) for value in values]
    decimals = max(0, digits - 1 - math.floor(math.log10(largest)))
    if decimals > _MAX_DECIMALS:
        return [format_value(value, digits) for value in values]
    return [_write(value, decimals) for value in values]


def format_weights(values: Sequence[float]) -> list[str]:
    """Return the values that a weight takes, with so many digits that its changes can be seen.

    Args:
        values: at least one, in their order; they are float32, which has seven digits.
    """
    largest = max(map(abs, values))
    if not 0 < largest < 1e6 or not all(map(math.isfinite, values)):
        return list(map(format_value, values))
    size = math.floor(math.log10(largest))
    changes = [abs(new - old) for old, new in pairwise(values) if new != old]
    wanted = 2 - math.floor(math.log10(min(changes))) if changes else 0
    decimals = min(max(wanted, _DIGITS - 1 - size), 7 - size)
    return [_write(value, max(0, decimals)) for value in values]


def write_factor(number: str) -> str:
    """Return a written number as a factor or a part of a sum: in brackets if it is negative."""
    return f"({number})" if number.startswith("-") else number


def _write(value: float, decimals: int) -> str:
    written = f"{value:.{decimals}f}"
    return written.removeprefix("-") if not written.strip("-0.") else written
