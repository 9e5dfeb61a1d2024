"""React to Ctrl-C and to a notebook's interrupt button, so that no interrupt is lost.

A KeyboardInterrupt raised between any two instructions could leave a lock taken or a history half
written, and in a finalizer Python swallows it. Here a SIGINT calls functions, *reactions*, instead.
A reaction may raise only while the user's own code runs (`breakable`); there it does no harm.
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
    """The state of the current thread."""

    is_breakable = False


_here = _Here()
_reactions: list[Callable[[], object]] = []  # of the contexts under way, the newest last
_handler_before: Any = None  # the one that `_react` replaced


def _react(_signal_number: int, _frame: object) -> None:
    """Handle a SIGINT: call the reactions of all contexts, the newest first."""
    for react in _reactions[::-1]:
        react()


@contextmanager
def interrupts_call(react: Callable[[], object]) -> Iterator[None]:
    """Within this context a SIGINT calls `react` instead of raising a KeyboardInterrupt.

    Contexts may overlap in any order; then a SIGINT calls each reaction, the newest first. Where
    the process ignores SIGINT, or C code handles it, and outside of the main thread, this does
    nothing.
    """
    global _handler_before  # noqa: PLW0603 - a process has one handler of SIGINT
    handler, was_breakable = signal.getsignal(signal.SIGINT), _here.is_breakable
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or handler in (None, signal.SIG_IGN):  # None: C code installed it
        yield
        return
    try:
        _here.is_breakable = False
        _reactions.append(react)
        if handler is not _react:
            _handler_before = handler
            signal.signal(signal.SIGINT, _react)
        yield
    finally:
        # in this order, or an interrupt that comes here would find no reaction and be lost
        try:
            if _reactions == [react] and signal.getsignal(signal.SIGINT) is _react:
                signal.signal(signal.SIGINT, _handler_before)
        finally:
            _here.is_breakable = was_breakable
            _reactions.remove(react)


@contextmanager
def interrupts_stop(stop: Callable[[], object]) -> Iterator[None]:
    """Within this context the first interrupt calls `stop`; a further one ends the user's code.

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
        elif _here.is_breakable:
            _raise_as_python_does()

    try:
        with interrupts_call(react):
            yield
    except KeyboardInterrupt:
        num_interrupts = 0  # they are raised already
        raise
    finally:
        if num_interrupts:
            _raise_as_python_does()


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Within this context, which must be short, interrupts wait for its end.

    Inside another context of this module an interrupt calls the reaction of that one.

    Raises:
        KeyboardInterrupt: at the end of the outermost context, if there was an interrupt.
    """
    with (interrupts_call if _reactions else interrupts_stop)(lambda: None):
        yield


def breakable(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Call the user's code, which a second interrupt may end by a KeyboardInterrupt."""
    was_breakable = _here.is_breakable
    # Python looks for signals at calls: plain assignments keep one from coming in between
    try:
        _here.is_breakable = True
        return function(*args, **kwargs)
    finally:
        _here.is_breakable = was_breakable


def block_interrupts() -> None:
    """Let no SIGINT reach the calling thread and the processes that it starts.

    A terminal and Jupyter interrupt a whole process group. Python's own handler would end the
    processes of a `DataLoader`, and with them a training that should only stop, or not even that.
    """
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _raise_as_python_does() -> NoReturn:
    """Raise a KeyboardInterrupt that a check of students' code does not take for a `raise`."""
    signal.default_int_handler(signal.SIGINT, None)
