"""Check a student's diagnosis of a training of the clinic."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_widgets.runs.clinic.cases import CASES


@dataclass(frozen=True)
class CheckedDiagnosis:
    """Whether a diagnosis is right.

    Attributes:
        is_fault_right: whether this fault is in the training.
        is_evidence_right: whether the panels show this evidence.
        words: the result as one or a few sentences.
    """

    is_fault_right: bool
    is_evidence_right: bool
    words: str

    @property
    def is_right(self) -> bool:
        """Whether both are right."""
        return self.is_fault_right and self.is_evidence_right


def check_diagnosis(number: int, fault: str, evidence: str) -> CheckedDiagnosis:
    """Check a diagnosis.

    Args:
        number: of the training, from 1.
        fault: one of `choices.FAULTS`.
        evidence: one of `choices.EVIDENCE`.

    Raises:
        KeyError: if there is no training of this number.
    """
    case = CASES[number]
    is_fault_right, is_evidence_right = fault == case.fault, evidence == case.evidence
    if is_fault_right and is_evidence_right:
        words = case.explanation
    elif is_fault_right:
        words = "The fault is right, but this training does not show this evidence."
    elif is_evidence_right:
        words = "The evidence is right, but it has another cause."
    else:
        words = "This training does not show this evidence, and the fault is another one."
    return CheckedDiagnosis(is_fault_right, is_evidence_right, words)
