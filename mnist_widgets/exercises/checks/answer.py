"""Compare a short answer with the expected one; also for a teacher's own tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mnist_widgets.exercises.mistakes import rule_out
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe
from mnist_widgets.exercises.verdict import Verdict

_NO_HINT = "Read the task again, and compare the expected result with yours."
_ALL_DIGITS = 10
_MAX_SHOWN = 12  # numbers of a tensor or a list that fit on a line


def check_answer(
    task: str,
    claim: str,
    answer: Callable[[], object],
    *,
    expected: object,
    hints: Sequence[str] = (),
    known: Mapping[str, object] | None = None,
    tolerance: float = 1e-4,
) -> Verdict:
    """Check that a student's code gives the expected answer.

    Example:
        ```python
        check_answer(
            "add",
            "It adds 2 and 3, and 4 and 5",
            lambda: [add(2, 3), add(4, 5)],
            expected=[5, 9],
            known={"6 and 20 are the products.": [6, 20]},
            hints=["Use +."],
        )
        ```

    Args:
        task: what is checked, usually the name of a function.
        claim: the criterion, for the card.
        answer: calls the student's code, preferably with several inputs, because a single result
            can be copied.
        expected: a number, a tensor, text, a set, or a list, tuple or dictionary of these. NaN
            equals NaN. For a list, the answer may also be a tensor, an array or a column of pandas.
        hints: for other wrong answers, one at a time.
        known: likely wrong answers, by the hint for each.
        tolerance: the largest allowed absolute error.

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    known = known or {}
    recognized = {f"known_answer_{n}": hint for n, hint in enumerate(known, 1)}

    def compare() -> str:
        found = answer()
        words = _describe_both(found, expected)
        if _is_equal(found, expected, tolerance):
            return words
        pairs = list(_pair_up(found, expected))
        rule_out(words, {"returns_none": any(part is None for part, _ in pairs)})
        known_answers = zip(recognized, known.values(), strict=True)
        rule_out(words, {name: _is_equal(found, wrong, tolerance) for name, wrong in known_answers})
        is_other_type = any(
            isinstance(right, Tensor) and not isinstance(part, Tensor) for part, right in pairs
        )
        return rule_out(words, {"not_a_tensor": is_other_type, "other_answer": True})

    all_hints = {name: [_escape(hint)] for name, hint in recognized.items()}
    all_hints["other_answer"] = [*map(_escape, hints)] or [_NO_HINT]
    return run_check(task, {claim: compare}, all_hints)


def _escape(hint: str) -> str:
    """Keep the braces of a hint without placeholders through `str.format`."""
    return hint.replace("{", "{{").replace("}", "}}")


def _is_equal(found: object, expected: object, tolerance: float) -> bool:
    """Compare two answers part by part."""
    try:
        return all(_are_alike(*pair, tolerance) for pair in _pair_up(found, expected))
    except (OverflowError, TypeError, ValueError):  # such as a table of pandas and a number
        return False


def _pair_up(found: Any, expected: Any) -> Iterator[tuple[object, object]]:  # noqa: ANN401 - any answer
    """Yield pairs of corresponding parts, as far as both answers have the same structure."""
    if isinstance(expected, (list, tuple)):
        if hasattr(found, "to_numpy"):  # a column or a table of pandas
            found = found.to_numpy()
        if isinstance(found, (Tensor, np.ndarray)):
            found = found.tolist()
    are_dicts = isinstance(expected, Mapping) and isinstance(found, Mapping)
    if are_dicts and found.keys() == expected.keys():
        found, expected = [found[key] for key in expected], [*expected.values()]
    are_lists = all(isinstance(each, (list, tuple)) for each in (found, expected))
    if are_lists and len(found) == len(expected):
        for pair in zip(found, expected, strict=True):
            yield from _pair_up(*pair)
    else:
        yield found, expected


def _are_alike(found: object, expected: object, tolerance: float) -> bool:
    """Compare two answers without parts."""
    if isinstance(expected, (set, frozenset)):
        return isinstance(found, (set, frozenset, list, tuple)) and set(found) == expected
    if isinstance(expected, Tensor):
        return isinstance(found, Tensor) and _are_close(found, expected, tolerance)
    if isinstance(found, (Tensor, np.ndarray, np.generic)):
        if math.prod(found.shape) != 1:
            return False
        found = found.item()  # a number in a tensor or array
    if isinstance(expected, Real) and isinstance(found, Real):
        if isinstance(found, bool) != isinstance(expected, bool):
            return False
        are_nan = math.isnan(found) and math.isnan(expected)
        return are_nan or math.isclose(found, expected, rel_tol=0, abs_tol=tolerance)
    return bool(found == expected)


def _are_close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether shapes, kinds of numbers and values agree; all integer types are one kind."""
    kinds = [(each.dtype == torch.bool, each.is_floating_point()) for each in (found, expected)]
    found_values, values = (each.detach().cpu().double() for each in (found, expected))
    return (
        found.shape == expected.shape
        and kinds[0] == kinds[1]
        and torch.allclose(found_values, values, rtol=0, atol=tolerance, equal_nan=True)
    )


def _describe_both(found: object, expected: object) -> str:
    """Describe two answers; if they look alike, with all digits or with their types."""
    shown = [_describe(each) for each in (expected, found)]
    if shown[0] == shown[1]:
        shown = [_describe(each, _ALL_DIGITS) for each in (expected, found)]
    if shown[0] == shown[1]:
        pairs = [map(_name_kind, pair) for pair in _pair_up(expected, found)]
        differences = [(ours, theirs) for ours, theirs in pairs if ours != theirs]
        for kinds in differences[:1]:
            shown = [f"{words} ({kind})" for words, kind in zip(shown, kinds, strict=True)]
    return f"expected {shown[0]}, found {shown[1]}"


def _name_kind(value: object) -> str:
    if isinstance(value, Tensor):
        return str(value.dtype).removeprefix("torch.")
    return type(value).__name__


def _describe(value: object, num_digits: int = 4) -> str:
    """Return an answer as Python shows it, shortened."""
    show = partial(_describe, num_digits=num_digits)
    if isinstance(value, Tensor) and value.numel() <= _MAX_SHOWN:
        return f"tensor({show(value.tolist())})"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {show(part)}" for key, part in value.items())
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(show, value)))}}}"
    if isinstance(value, (list, tuple)):
        is_long = len(value) > _MAX_SHOWN
        words = [show(part) for part in (value[:3] if is_long else value)]
        if is_long:
            words += ["...", show(value[-1])]
        listed = f"[{', '.join(words)}]" if isinstance(value, list) else f"({', '.join(words)})"
        return f"{len(value)} values {listed}" if is_long else listed
    if isinstance(value, float):
        return f"{value:.{num_digits}g}"
    return repr(value) if isinstance(value, (str, Real, type(None))) else describe(value)
