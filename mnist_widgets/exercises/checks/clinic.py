"""Check the diagnosis of a sick training.

The hints are in hints/clinic.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnist_widgets.exercises.mistakes import rule_out
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.runs.clinic.cases import CASES
from mnist_widgets.runs.clinic.choices import EVIDENCE, FAULTS, PLACES, find_choice
from mnist_widgets.runs.clinic.diagnosis import check_diagnosis


def check_clinic(number: int, fault: str, evidence: str) -> Verdict:
    """Check what is wrong with a training of `widgets.clinic(number)`, and how one can see it.

    Args:
        number: of the training, 1 to 12.
        fault: a name from the list *Fault* below the panels of the clinic.
        evidence: a sentence from the list *Evidence*, which must be true of this training.
            Capital letters, repeated spaces and a final period make no difference in both.

    Returns:
        The verdict; it raises no errors.
    """
    criteria = _Criteria(number, fault, evidence)
    return run_check(
        f"check_clinic, {number}" if type(number) is int else "check_clinic",
        {
            "It is a training of the clinic": criteria.check_number,
            "Fault and evidence are from the lists": criteria.check_names,
            "The training shows this evidence": criteria.check_evidence,
            "The fault explains the evidence": criteria.check_fault,
        },
    )


@dataclass
class _Criteria:
    number: int
    fault: object
    evidence: object

    def check_number(self) -> str:
        is_known = type(self.number) is int and self.number in CASES
        found = f"expected a number from 1 to {len(CASES)}, found {describe(self.number)}"
        rule_out(found, {"unknown_number": not is_known})
        return f"number {self.number}"

    def check_names(self) -> str:
        fault, evidence = find_choice(self.fault, FAULTS), find_choice(self.evidence, EVIDENCE)
        is_swapped = find_choice(self.fault, EVIDENCE) or find_choice(self.evidence, FAULTS)
        answers = (self.fault, self.evidence)
        mistakes = {
            "unsolved": any(answer is None or answer is Ellipsis for answer in answers),
            "swapped_answers": is_swapped,
        }
        rule_out("fault and evidence are swapped", mistakes)
        found = f"the fault is {describe(self.fault)}"
        rule_out(found, {"unknown_fault": fault is None}, expected="; ".join(FAULTS))
        found = f"the evidence is {describe(self.evidence)}"
        rule_out(found, {"unknown_evidence": evidence is None}, expected="; ".join(EVIDENCE))
        self._fault, self._evidence = str(fault), str(evidence)
        return f"{fault}: {evidence}"

    def check_evidence(self) -> str:
        case = CASES[self.number]
        checked = check_diagnosis(self.number, self._fault, self._evidence)
        is_wrong = not checked.is_evidence_right
        mistakes = {
            "wrong_evidence": is_wrong and checked.is_fault_right,
            "wrong_fault_and_evidence": is_wrong,
        }
        rule_out(checked.words, mistakes, where=PLACES[case.evidence], expected=case.evidence)
        return self._evidence

    def check_fault(self) -> str:
        case = CASES[self.number]
        checked = check_diagnosis(self.number, self._fault, self._evidence)
        mistakes = {"wrong_fault": not checked.is_fault_right}
        return rule_out(checked.words, mistakes, expected=case.fault)
