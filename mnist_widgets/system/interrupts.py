"""React to Ctrl-C and to a notebook's interrupt button, so that no interrupt is lost.

A KeyboardInterrupt raised between any two instructions could leave a lock taken or a history half
written, and in a finalizer Python swallows it. Here a SIGINT calls functions, *reactions*, instead.
A reaction may raise only while code of the user's runs (`breakable`); there it does no harm.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class _Here(threading.local):
    """What holds in the present thread."""

    is_breakable = False


_here = _Here()


class _Handler:
    """A handler of SIGINT that calls a reaction, then the handlers of the contexts around it."""

    def __init__(self, react: Callable[[], object]) -> None:
        self.react = react
        self.is_active = True
        self.before: Any = None

    def __call__(self, signal_number: int, frame: object) -> None:
        if self.is_active:
            self.react()
        if isinstance(self.before, _Handler):
            self.before(signal_number, frame)

    def install(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        if before is None or before is signal.SIG_IGN:
            return  # C code installed it, so it could not be restored; or interrupts are unwanted
        self.before = before
        signal.signal(signal.SIGINT, self)

    def remove(self) -> None:
        before = self.before
        while isinstance(before, _Handler) and not before.is_active:
            before = before.before  # that context ended earlier than this one
        if signal.getsignal(signal.SIGINT) == self:
            signal.signal(signal.SIGINT, before)
        self.is_active = False


@contextmanager
def interrupts_call(react: Callable[[], object]) -> Iterator[None]:
    """Within this context a SIGINT calls `react` instead of raising a KeyboardInterrupt.

    Contexts may overlap in any order; then a SIGINT calls each reaction, the newest first. Where
    the process ignores SIGINT, and outside of the main thread, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler, was_breakable = _Handler(react), _here.is_breakable
    try:
        _here.is_breakable = False
        handler.install()
        yield
    finally:
        handler.remove()
        _here.is_breakable = was_breakable


@contextmanager
def interrupts_stop(stop: Callable[[], object]) -> Iterator[None]:
    """Within this context the first interrupt calls `stop`; a further one breaks off user code.

    Raises:
        KeyboardInterrupt: at the end of the context if there was an interrupt, at once if a second
            one comes in `breakable` code.
    """
    num_interrupts = 0

    def react() -> None:
        nonlocal num_interrupts
        num_interrupts += 1
        if num_interrupts == 1:
            stop()
        else:
            break_off()

    try:
        with interrupts_call(react):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException:
        if num_interrupts:
            _raise_as_python_does()
        raise
    if num_interrupts:
        _raise_as_python_does()


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Within this context, which must be short, interrupts wait for its end.

    Inside of another context of this module the reaction of that one is called, as always.

    Raises:
        KeyboardInterrupt: at the end of the outermost context, if there was an interrupt.
    """
    is_inside = isinstance(signal.getsignal(signal.SIGINT), _Handler)
    with (interrupts_call if is_inside else interrupts_stop)(lambda: None):
        yield


def breakable(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Call code of the user's, which `break_off` may end by a KeyboardInterrupt."""
    was_breakable = _here.is_breakable
    # Python looks for signals at calls: plain assignments keep one from coming in between
    try:
        _here.is_breakable = True
        return function(*args, **kwargs)
    finally:
        _here.is_breakable = was_breakable


def break_off() -> None:
    """Raise a KeyboardInterrupt if this thread runs `breakable` code; for reactions."""
    if _here.is_breakable:
        _raise_as_python_does()


def _raise_as_python_does() -> NoReturn:
    """Raise a KeyboardInterrupt that a check of students' code does not take for a `raise`."""
    signal.default_int_handler(signal.SIGINT, None)
