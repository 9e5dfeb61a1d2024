"""Judges the small answers of an exercise: what a function gives against what it should give.

It serves a teacher's own tasks too. The larger tasks have checks of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.runner import examine
from mnist_widgets.exercises.sandbox import describe
from mnist_widgets.exercises.verdict import Verdict

_NO_HINT = "Read the task once more, and compare what was expected with what was found."
_MOST_SHOWN = 12  # numbers of a tensor or a list that a line has room for


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
    """Check that what a student wrote gives the expected answer.

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
        claim: what should hold, for the card.
        answer: calls the student's code, best with more than one input: whoever knows a single
            result can write it down.
        expected: a number, a tensor, text, a set, or a list, tuple or dictionary of such. NaN
            equals NaN.
        hints: for a wrong answer, one at a time.
        known: wrong answers that are likely, by the hint that fits each.
        tolerance: how far a number may lie from the expected one.

    Returns:
        The verdict; nothing the student's code does is raised.
    """
    recognized = {f"known_answer_{n}": hint for n, hint in enumerate(known or {}, 1)}

    def judge() -> str:
        found = answer()
        words = f"expected {_describe(expected)}, found {_describe(found)}"
        if _is_equal(found, expected, tolerance):
            return words
        pairs = list(_pair_up(found, expected))
        if any(part is None for part, _ in pairs):
            raise Mistake("returns_none", words)
        for name, wrong in zip(recognized, (known or {}).values(), strict=True):
            if _is_equal(found, wrong, tolerance):
                raise Mistake(name, words)
        if any(isinstance(right, Tensor) and not isinstance(part, Tensor) for part, right in pairs):
            raise Mistake("not_a_tensor", words)
        raise Mistake("other_answer", words)

    ladders = {name: [hint] for name, hint in recognized.items()}
    ladders["other_answer"] = list(hints) or [_NO_HINT]
    # hints are filled in by format; those of a lesson have nothing to be filled in
    as_they_are = {
        name: [hint.replace("{", "{{").replace("}", "}}") for hint in ladder]
        for name, ladder in ladders.items()
    }
    return examine(task, as_they_are, {claim: judge})


def _is_equal(found: object, expected: object, tolerance: float) -> bool:
    """Compare two answers, part by part."""
    return all(_are_alike(*pair, tolerance) for pair in _pair_up(found, expected))


def _pair_up(found: object, expected: object) -> Iterator[tuple[object, object]]:
    """Go through the parts of two answers side by side, as far as they are built alike."""
    if isinstance(expected, (list, tuple)) and isinstance(found, (Tensor, np.ndarray)):
        found = found.tolist()
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        is_alike = found.keys() == expected.keys()
        parts = [(found[key], expected[key]) for key in expected] if is_alike else None
    elif isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple)):
        is_alike = len(found) == len(expected)
        parts = list(zip(found, expected, strict=True)) if is_alike else None
    else:
        parts = None
    if parts is None:
        yield found, expected
        return
    for pair in parts:
        yield from _pair_up(*pair)


def _are_alike(found: object, expected: object, tolerance: float) -> bool:
    """Compare two answers that have no parts."""
    if isinstance(expected, (set, frozenset)):
        return isinstance(found, (set, frozenset, list, tuple)) and set(found) == expected
    if isinstance(expected, Tensor):
        return isinstance(found, Tensor) and _are_close(found, expected, tolerance)
    if isinstance(found, (Tensor, np.ndarray, np.generic)):
        if math.prod(found.shape) != 1:
            return False
        found = found.item()  # a number that is still wrapped
    if isinstance(expected, Real) and isinstance(found, Real):
        if isinstance(found, bool) != isinstance(expected, bool):
            return False
        are_nan = math.isnan(found) and math.isnan(expected)
        return are_nan or math.isclose(found, expected, rel_tol=0, abs_tol=tolerance)
    return bool(found == expected)


def _are_close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether shape, kind of numbers and numbers agree; whole numbers of any length are a kind."""
    kinds = [(each.dtype == torch.bool, each.is_floating_point()) for each in (found, expected)]
    found_values, values = (each.detach().cpu().double() for each in (found, expected))
    return (
        found.shape == expected.shape
        and kinds[0] == kinds[1]
        and torch.allclose(found_values, values, rtol=0, atol=tolerance, equal_nan=True)
    )


def _describe(value: object) -> str:
    """Return an answer as Python would show it, but shorter."""
    if isinstance(value, Tensor) and value.numel() <= _MOST_SHOWN:
        return f"tensor({_describe(value.tolist())})"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_describe(part)}" for key, part in value.items())
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_describe, value)))}}}"
    if isinstance(value, (list, tuple)):
        is_long = len(value) > _MOST_SHOWN
        words = [_describe(part) for part in (value[:3] if is_long else value)]
        if is_long:
            words += ["...", _describe(value[-1])]
        listed = f"[{', '.join(words)}]" if isinstance(value, list) else f"({', '.join(words)})"
        return f"{len(value)} values {listed}" if is_long else listed
    if isinstance(value, float):
        return f"{value:.4g}"
    return repr(value) if isinstance(value, (str, Real, type(None))) else describe(value)
