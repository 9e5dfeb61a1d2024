"""Keep text that comes from elsewhere short, such as file names and other libraries' errors."""

from __future__ import annotations


def shorten(text: str, max_length: int = 60) -> str:
    """Return text as one line; "..." replaces the middle of a longer one.

    The end stays, because a file name ends in its type, and a path in its file.
    """
    line = " ".join(text.split())
    if len(line) <= max_length:
        return line
    num_last = max_length // 3
    return f"{line[: max_length - num_last - 3]}...{line[-num_last:]}"
