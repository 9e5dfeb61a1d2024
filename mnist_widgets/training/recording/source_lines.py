"""Find the line of a function that a thread runs at this moment."""

from __future__ import annotations

import sys
from functools import partial
from inspect import unwrap
from types import CodeType, FrameType
from typing import Any


def find_code(step: Any) -> CodeType | None:  # noqa: ANN401 - anything that can be called
    """Return the code of a training step; None if it is not written in Python."""
    while isinstance(step, partial) or hasattr(step, "__wrapped__"):
        step = step.func if isinstance(step, partial) else unwrap(step)
    if not hasattr(step, "__code__"):  # an object that can be called, or a method
        step = unwrap(getattr(step, "__func__", type(step).__call__))
    code: CodeType | None = getattr(step, "__code__", None)
    return code


def find_line(code: CodeType | None, thread: int) -> int | None:
    """Return the line that a thread now runs of some code; None if it does not run it."""
    # on a GPU the hooks of a backward pass run in another thread than the step
    frame: FrameType | None = sys._current_frames().get(thread)  # noqa: SLF001 - documented
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return None if frame is None else frame.f_lineno
