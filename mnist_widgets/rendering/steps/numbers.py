"""Write numbers so that a reader can calculate with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

_DIGITS = 4
_MAX_DECIMALS = 9
_MOST_DECIMALS_OF_SHARE = 16


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


class WrittenSum(NamedTuple):
    """A sum as text. What is written adds up exactly: the parts and the rest give the total.

    Attributes:
        parts: of the sum.
        rest: the written total minus the written parts.
        total: of the sum.
    """

    parts: list[str]
    rest: str
    total: str

    def name_rest(self, num_others: int, noun: str = "") -> str:
        """Return a name for the rest of a sum of many others; "" if there is none to write.

        Without others the rest is what rounding took away.
        """
        if num_others:
            return f"the other {num_others}{noun}"
        return "rounding" if math.isfinite(float(self.rest)) and float(self.rest) else ""


def format_sum(parts: Sequence[float], total: float) -> WrittenSum:
    """Write a sum, each number with the same decimals, so that they add up.

    The largest number has one significant digit more than `format_value` writes.

    Args:
        parts: of the sum; there may be others, which the rest stands for.
        total: of the parts and the others.
    """
    digits = _DIGITS + 1
    values = [*parts, total - sum(parts), total]
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0 or not all(map(math.isfinite, values)):
        *written, rest, whole = (format_value(value, digits) for value in values)
        return WrittenSum(written, rest, whole)
    size = math.floor(math.log10(largest))
    decimals, end = max(0, digits - 1 - size), ""
    if decimals > _MAX_DECIMALS or size >= _MAX_DECIMALS:
        # all with the same power of ten
        decimals, end = digits - 1, f"e{size:+03d}"
        values = [float(Decimal(value).scaleb(-size)) for value in values]
    *written, _, whole = (_write(value, decimals) for value in values)
    others = Decimal(whole) - sum(map(Decimal, written))
    return WrittenSum([each + end for each in written], f"{others:f}{end}", whole + end)


def write_argument(loss: float) -> str:
    """Return p as text, with enough digits that `-ln p` is the loss as `format_value` writes it.

    It may be smaller than the smallest float; "" if it takes too many digits.
    """
    share = Decimal(-loss).exp()
    kind = "e" if share < Decimal("1e-4") else "f"
    for decimals in range(_DIGITS - 1, _MOST_DECIMALS_OF_SHARE):
        written = f"{share:.{decimals}{kind}}"
        if format_value(-float(Decimal(written).ln())) == format_value(loss):
            return written
    return ""


def format_weights(values: Sequence[float]) -> list[str]:
    """Return the values that a weight takes, with enough digits that its changes can be seen.

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
