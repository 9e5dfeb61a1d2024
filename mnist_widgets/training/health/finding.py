"""The findings of a health monitor, and the rows of its tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mnist_widgets.training.health.observations import Observations
from mnist_widgets.training.recording.step_record import StepRecord


@dataclass(frozen=True)
class Finding:
    """A sign that something is wrong with a training.

    Attributes:
        name: of the sign, such as `rate too high`.
        epoch: in which it was found, from 1.
        batch: in its epoch, after which it was found, from 1.
        evidence: a sentence with the numbers that were measured.
        advice: one or two sentences about what to do.
    """

    name: str
    epoch: int
    batch: int
    evidence: str
    advice: str

    @property
    def title(self) -> str:
        """The name as a heading, on screen and in the lesson that explains it."""
        return self.name[:1].upper() + self.name[1:]


class Sign(NamedTuple):
    """A sign in all that was observed.

    Attributes:
        name: of its finding.
        find: returns the evidence, or None.
        advice: of its finding.
    """

    name: str
    find: Callable[[Observations], str | None]
    advice: str


class StepSign(NamedTuple):
    """A sign in the record of one step.

    Attributes:
        name: of its finding.
        find: returns the evidence, or None.
        advice: of its finding.
        count_steps: returns how many steps in a row must show it: one of them alone may be on
            purpose, as when gradients are summed over several batches.
    """

    name: str
    find: Callable[[StepRecord, Observations], str | None]
    advice: str
    count_steps: Callable[[Observations], int] = lambda _seen: 2
