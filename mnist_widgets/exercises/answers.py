"""Judges the small answers of an exercise: what a function gives against what it should give.

It serves a teacher's own tasks too. The larger tasks have checks of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from mnist_widgets.exercises.examination import examine
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.trying import describe
from mnist_widgets.exercises.verdict import Verdict

_NO_HINT = "Read the task once more, and compare what was expected with what was found."
_MOST_SHOWN = 12  # numbers of a tensor that a line has room for


def check_answer(
    task: str,
    claim: str,
    answer: Callable[[], object],
    *,
    expected: object,
    hints: Sequence[str] = (),
    tolerance: float = 1e-4,
) -> Verdict:
    """Check that what a student wrote gives the expected answer.

    Example:
        ```python
        check_answer("add", "It adds 2 and 3", lambda: add(2, 3), expected=5, hints=["Use +."])
        ```

    Args:
        task: what is checked, usually the name of a function.
        claim: what should hold, for the card.
        answer: calls the student's code.
        expected: a number, a tensor, text, or a list, tuple or dictionary of such.
        hints: for a wrong answer, one at a time.
        tolerance: how far a number may lie from the expected one.

    Returns:
        The verdict; nothing the student's code does is raised.
    """

    def judge() -> str:
        found = answer()
        words = f"expected {_describe(expected)}, found {_describe(found)}"
        if found is None:
            raise Mistake("returns_none", words)
        if not _is_equal(found, expected, tolerance):
            raise Mistake("other_answer", words)
        return words

    # hints are filled in by format; those of a lesson have nothing to be filled in
    ladder = [hint.replace("{", "{{").replace("}", "}}") for hint in hints or [_NO_HINT]]
    return examine(task, {"other_answer": ladder}, {claim: judge})


def _is_equal(found: object, expected: object, tolerance: float) -> bool:
    """Compare two answers, part by part."""
    if isinstance(expected, Mapping):
        return (
            isinstance(found, Mapping)
            and found.keys() == expected.keys()
            and all(_is_equal(found[key], expected[key], tolerance) for key in expected)
        )
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(expected)
            and all(_is_equal(*pair, tolerance) for pair in zip(found, expected, strict=True))
        )
    if isinstance(expected, Tensor):
        return isinstance(found, Tensor) and _are_alike(found, expected, tolerance)
    if isinstance(found, Tensor) and found.numel() == 1:  # a number that is still wrapped
        found = found.item()
    if isinstance(found, np.bool_):
        found = bool(found)
    if isinstance(expected, Real) and isinstance(found, Real):
        are_of_a_kind = isinstance(found, bool) == isinstance(expected, bool)
        return are_of_a_kind and math.isclose(found, expected, rel_tol=0, abs_tol=tolerance)
    return bool(found == expected)


def _are_alike(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether shape, kind of numbers and numbers agree; whole numbers of any length are a kind."""
    kinds = [(each.dtype == torch.bool, each.is_floating_point()) for each in (found, expected)]
    return (
        found.shape == expected.shape
        and kinds[0] == kinds[1]
        and torch.allclose(found.detach().cpu().double(), expected.double(), 0, tolerance)
    )


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return str(value.tolist()) if value.numel() <= _MOST_SHOWN else describe(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_describe(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(_describe, value))})"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
