"""One check from its first aspect to its verdict.

Which aspects there are is left to the checks, how code is tried to `trying`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Hints, Mistake, choose_hint, forget_mistakes
from mnist_widgets.exercises.sandbox import find_mistake, undisturbed
from mnist_widgets.exercises.verdict import Detail, Verdict

Aspects: TypeAlias = Mapping[str, Callable[[], str]]
"""For each claim what looks whether it holds: it returns the numbers, or raises a `Mistake`."""


def examine(exercise: str, hints: Hints, aspects: Aspects) -> Verdict:
    """Look at one aspect after the other, up to the first that does not hold.

    Args:
        exercise: what is checked, to name it on screen and to remember its hints by.
        hints: for each mistake of this exercise; those that any code can make are added.
        aspects: may call the student's code as they like: whatever it raises becomes a mistake.

    Returns:
        The verdict, with the hint that is due.

    Raises:
        KeyboardInterrupt: if the user interrupts; nothing else passes through.
    """
    details: list[Detail] = []
    mistake: Mistake | None = None
    with undisturbed():
        for claim, judge in aspects.items():
            if mistake is not None:
                details.append(Detail(claim))
                continue
            try:
                details.append(Detail(claim, passed=True, numbers=judge()))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # SystemExit too: a student's code may raise anything
                mistake = find_mistake(error)
                is_tried = mistake.name != "unsolved"  # else there is nothing to blame
                details.append(Detail(claim, False, mistake.found) if is_tried else Detail(claim))
    if mistake is None:
        forget_mistakes(exercise)
        return Verdict(passed=True, details=tuple(details), exercise=exercise)
    hint, number, num_hints = choose_hint(exercise, mistake, {**read_hints("common"), **hints})
    return Verdict(
        passed=False,
        hint=hint,
        details=tuple(details),
        exercise=exercise,
        mistake=mistake.name,
        hint_number=number,
        num_hints=num_hints,
    )
