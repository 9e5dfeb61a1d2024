"""Warn in the user's code instead of in the package."""

from __future__ import annotations

import sys
import warnings
from traceback import walk_stack


def warn_user(message: str) -> None:
    """Warn at the calling line outside the package, such as the line of a notebook's cell."""
    package = __name__.partition(".")[0]
    frames = walk_stack(sys._getframe())  # noqa: SLF001 - with None it begins in the caller
    names = (str(frame.f_globals.get("__name__")) for frame, _ in frames)
    level = next((level for level, name in enumerate(names, 1) if not name.startswith(package)), 1)
    warnings.warn(message, stacklevel=level)
