"""Run the criteria of a check and return its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Hints, Mistake, choose_hint, reset_hints
from mnist_widgets.exercises.sandbox import find_mistake, isolated
from mnist_widgets.exercises.verdict import Detail, Verdict

Criteria: TypeAlias = Mapping[str, Callable[[], str]]
"""By claim: a function that returns what was expected and found, or raises a `Mistake`."""


def run_check(exercise: str, criteria: Criteria, hints: Hints | None = None) -> Verdict:
    """Check one criterion after the other, up to the first that fails.

    Args:
        exercise: the name of the check, for the card and for counting hints. If one check serves
            several tasks, the task follows after a comma.
        criteria: may call the student's code; every error in it becomes a mistake.
        hints: for each mistake of this exercise; by default those in its file in hints/. The
            common hints are added.

    Returns:
        The verdict, with the next hint.

    Raises:
        KeyboardInterrupt: if the user interrupts. No other error is raised.
    """
    details: list[Detail] = []
    mistake: Mistake | None = None
    with isolated():
        for claim, check in criteria.items():
            try:
                details.append(Detail(claim, passed=True, numbers=check()))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # SystemExit too: a student's code may raise anything
                mistake = find_mistake(error)
                if mistake.name != "unsolved":  # an unsolved task has not failed
                    details.append(Detail(claim, False, mistake.found))
                break
    details += [Detail(claim) for claim in list(criteria)[len(details) :]]
    if mistake is None:
        reset_hints(exercise)
        return Verdict(passed=True, details=tuple(details), exercise=exercise)
    if hints is None:
        hints = read_hints(exercise.removeprefix("check_").partition(",")[0])
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
