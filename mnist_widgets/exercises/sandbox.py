"""Run a student's code without side effects, and recognize mistakes that any code can contain."""

from __future__ import annotations

import dis
import io
import random
import re
import reprlib
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from inspect import unwrap
from numbers import Number
from types import FrameType
from typing import Any, TextIO
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor

from mnist_widgets.data.tensors import to_tensor
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.system.short_text import shorten

_MAX_CHARACTERS = 100_000  # a training loop prints a few thousand
_MAX_SHOWN = 300
# Error messages of Python and torch that identify a mistake
_KNOWN_ERRORS = {
    r"^NameError: ": "unknown_name",
    r"must be Tensor, not [A-Z]": "layer_for_numbers",
    r"'(list|tuple)' object has no attribute 'to'": "batch_for_a_tensor",
    r"leaf Variable|for \*: 'float' and 'NoneType'": "moved_by_hand",
}
_LIBRARIES = {*sys.stdlib_module_names, "mnist_widgets", "numpy", "torch", "tqdm"}


class EndlessOutput(BaseException):
    """Raised inside a student's `print` after too much output.

    Not an `Exception`: the student's `except Exception` must not catch it.
    """


class _MutedOutput(io.TextIOBase):
    """Discard what a student's code prints, and end a loop that prints endlessly.

    Threads that already ran, such as a training in the background, still print to `outside`.
    """

    def __init__(self, outside: TextIO) -> None:
        self._outside = outside
        self._other_threads = WeakSet(threading.enumerate()) - {threading.current_thread()}
        self._num_characters = 0
        self._has_limit = True

    def write(self, text: str) -> int:
        if threading.current_thread() in self._other_threads:
            return self._outside.write(text)
        self._num_characters += len(text)
        if self._has_limit and self._num_characters > _MAX_CHARACTERS:
            raise EndlessOutput
        return len(text)

    def flush(self) -> None:
        if threading.current_thread() in self._other_threads:
            self._outside.flush()

    def lift_limit(self) -> None:
        """Accept more output from threads that outlive the check, such as a training."""
        self._has_limit = False


@contextmanager
def isolated() -> Iterator[None]:
    """Run code without effects outside this context.

    The random numbers of torch, numpy and Python start at the same seed each time, and their state
    is restored. Output and warnings are discarded, because a check calls a student's function many
    times and the output would hide the verdict. Gradients are enabled, even if the notebook has
    disabled them. Other threads print as before.
    """
    output, errors = _MutedOutput(sys.stdout), _MutedOutput(sys.stderr)
    with ExitStack() as afterwards:
        afterwards.callback(output.lift_limit)
        afterwards.callback(errors.lift_limit)
        afterwards.callback(random.setstate, random.getstate())
        afterwards.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002 - students may
        # reading the random state of an unused device would initialize it
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        afterwards.enter_context(torch.random.fork_rng(list(devices)))
        afterwards.enter_context(torch.enable_grad())
        afterwards.enter_context(warnings.catch_warnings())
        afterwards.enter_context(redirect_stdout(output))
        afterwards.enter_context(redirect_stderr(errors))
        warnings.simplefilter("ignore")
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        torch.default_generator.manual_seed(0)  # torch.manual_seed reaches unused devices too
        yield


def find_mistake(error: BaseException) -> Mistake:
    """Return the mistake for an error raised by a student's code.

    If the traceback contains no line of the student's code, its result caused the error.
    """
    words = describe_error(error)
    frames = _student_frames(error)
    # the frames of a cell itself are named "<module>", "<lambda>" or "<listcomp>"
    is_before_any_function = all(frame.f_code.co_name.startswith("<") for frame, _ in frames)
    if isinstance(error, Mistake):
        mistake = error
    elif isinstance(error, EndlessOutput):
        mistake = Mistake("endless_output", f"more than {_MAX_CHARACTERS:,} characters printed")
    elif isinstance(error, SystemExit):
        mistake = Mistake("exits", "the code asked Python to quit")
    elif is_unsolved(error):
        mistake = Mistake("unsolved", "there is nothing to check yet")
    elif isinstance(error, NameError) and frames and is_before_any_function:
        mistake = Mistake("not_defined", words, name=error.name)
    elif frames:
        frame, line_number = frames[-1]
        [line] = traceback.StackSummary.extract([(frame, line_number)])
        where = f"line {line_number}" + (f", `{line.line}`" if line.line else "")
        known = [name for part, name in _KNOWN_ERRORS.items() if re.search(part, words)]
        name = known[0] if known else "raises"
        mistake = Mistake(name, f"{words} (in {where})", error=words, where=where)
    elif isinstance(error, TypeError) and "argument" in words:
        mistake = Mistake("wrong_arguments", words, error=words)
    else:
        mistake = Mistake("unusable", words, error=words)
    return mistake


def require_result(result: object, function: object) -> None:
    """Refuse `None` and `...` as results.

    Raises:
        Mistake: `unsolved` if the function is still empty, otherwise `returns_none`.
    """
    if result is None or result is Ellipsis:
        if result is Ellipsis or _is_empty(function):
            raise Mistake("unsolved", "there is nothing to check yet")
        raise Mistake("returns_none", "expected a result, found None")


def require_tensor(result: object) -> None:
    """Refuse lists and arrays of numbers.

    Raises:
        Mistake: `not_a_tensor`.
    """
    if not isinstance(result, Tensor):
        raise Mistake("not_a_tensor", f"expected a tensor, found {describe(result)}")


def as_tensor(value: Any) -> Tensor:  # noqa: ANN401 - whatever a student's code gave
    """Convert a tensor, an array or nested lists of numbers to a tensor on the CPU.

    Raises:
        Mistake: `not_numbers` for anything else.
    """
    try:
        return to_tensor(value, "results").detach().cpu()
    except ValueError as error:
        raise Mistake("not_numbers", f"expected numbers, found {describe(value)}") from error


def is_unsolved(error: BaseException) -> bool:
    """Whether an error comes from a `raise NotImplementedError` or `...` in the student's code."""
    if isinstance(error, NotImplementedError):  # torch raises it too, for unsupported types
        innermost = list(traceback.walk_tb(error.__traceback__))[-1:]
        return _student_frames(error)[-1:] == innermost
    return isinstance(error, (TypeError, AttributeError)) and "ellipsis" in describe_error(error)


def describe(value: object) -> str:
    """Describe the result of a student's code in a few words."""
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return f"a tensor ({kind}) of shape {tuple(value.shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    name = type(value).__name__
    if isinstance(value, (str, bool, Number, list, tuple, dict, set)):
        return f"{_shorten(reprlib.repr(value))} ({name})"
    return f"an object of the class {name}"


def describe_error(error: BaseException) -> str:
    """Return the last line of an error's traceback, shortened."""
    try:
        return _shorten(f"{type(error).__name__}: {error}".rstrip(": "))
    except Exception:
        return type(error).__name__


def _student_frames(error: BaseException) -> list[tuple[FrameType, int]]:
    frames = traceback.walk_tb(error.__traceback__)
    return [
        (frame, line_number)
        for frame, line_number in frames
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _LIBRARIES
    ]


def _is_empty(function: object) -> bool:
    """Whether a function uses no arguments and calls nothing."""
    code = getattr(unwrap(function) if callable(function) else function, "__code__", None)
    reads = ("LOAD_FAST", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
    return code is not None and not any(
        instruction.opname.startswith(reads) for instruction in dis.get_instructions(code)
    )


def _shorten(text: str) -> str:
    """Return `text` as one line, without memory addresses, which differ each time."""
    return shorten(re.sub(r"\s+at\s+0x[0-9a-fA-F]+", "", text), _MAX_SHOWN)
