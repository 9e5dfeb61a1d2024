"""Short text for what comes from elsewhere: file names, other libraries' errors, callables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial


def shorten(text: str, max_length: int = 60) -> str:
    """Return text as one line; "..." replaces the middle of a longer one.

    The end stays, because a file name ends in its type, and a path in its file.
    """
    line = " ".join(text.split())
    if len(line) <= max_length:
        return line
    num_last = max_length // 3
    return f"{line[: max_length - num_last - 3]}...{line[-num_last:]}"


def list_first(names: Sequence[str], max_names: int = 3) -> str:
    """Return the first names of a list; "..." stands for the others."""
    return ", ".join([*names[:max_names], *["..."] * (len(names) > max_names)])


def name_callable(function: object) -> str:
    """Return the name of a function, or the class of another object, such as `CrossEntropyLoss`.

    A `functools.partial` has the name of its function.
    """
    while isinstance(function, partial):
        function = function.func
    name: str = getattr(function, "__name__", type(function).__name__)
    return name
