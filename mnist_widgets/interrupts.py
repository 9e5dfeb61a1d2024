"""A polite way to hear of Ctrl-C and of a notebook's interrupt button while waiting."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_reactions: list[Callable[[], object]] = []
_handler_before: Any = None


@contextmanager
def interrupts_call(react: Callable[[], object]) -> Iterator[None]:
    """Within this context a SIGINT calls `react` instead of raising a KeyboardInterrupt.

    Raised between any two instructions, that could leave a lock taken for ever. Contexts may
    overlap; then each is told. Outside of the main thread, which alone hears signals, nothing
    happens.
    """
    global _handler_before  # noqa: PLW0603 - a process has one handler
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not _reactions:
        _handler_before = signal.signal(signal.SIGINT, _on_interrupt)
    _reactions.append(react)
    try:
        yield
    finally:
        _reactions.remove(react)
        if not _reactions:
            signal.signal(signal.SIGINT, _handler_before or signal.SIG_DFL)


def _on_interrupt(_signal_number: int, _frame: object) -> None:
    for react in tuple(_reactions):
        react()
