"""`check_clinic`: right diagnoses, and what is wrong with the others."""

from __future__ import annotations

import pytest

from mnist_widgets.exercises import check_clinic
from mnist_widgets.runs.clinic import choices
from mnist_widgets.runs.clinic.cases import CASES

FAULT, EVIDENCE = CASES[7].fault, CASES[7].evidence


@pytest.mark.parametrize("number", CASES)
def test_the_right_diagnosis_passes_and_says_why(number):
    case = CASES[number]
    verdict = check_clinic(number, case.fault, case.evidence)
    assert verdict.passed, verdict
    assert case.explanation in verdict.details[-1].numbers


def test_small_differences_of_writing_do_not_matter():
    assert check_clinic(7, FAULT.capitalize(), f" {EVIDENCE.replace(' ', '  ')}. ")


WRONG = [
    (7, choices.DEAD_UNITS, EVIDENCE, "wrong_fault"),
    (7, FAULT, choices.SAME_ANSWER, "wrong_evidence"),
    (7, choices.DEAD_UNITS, choices.SAME_ANSWER, "wrong_fault_and_evidence"),
    (7, "softmax", EVIDENCE, "unknown_fault"),
    (7, FAULT, "the loss is high", "unknown_evidence"),
    (7, EVIDENCE, FAULT, "swapped_answers"),
    (7, None, EVIDENCE, "unsolved"),
    (7, FAULT, ..., "unsolved"),
    (0, FAULT, EVIDENCE, "unknown_number"),
    (13, FAULT, EVIDENCE, "unknown_number"),
    ("7", FAULT, EVIDENCE, "unknown_number"),
    (True, FAULT, EVIDENCE, "unknown_number"),
]


@pytest.mark.parametrize(("number", "fault", "evidence", "mistake"), WRONG)
def test_each_mistake_is_recognized(number, fault, evidence, mistake):
    verdict = check_clinic(number, fault, evidence)
    assert verdict.mistake == mistake, verdict
    assert not verdict.passed


@pytest.mark.parametrize(
    ("fault", "evidence", "answer"),
    [
        (choices.DEAD_UNITS, EVIDENCE, FAULT),
        (FAULT, choices.SAME_ANSWER, EVIDENCE),
        (choices.DEAD_UNITS, choices.SAME_ANSWER, EVIDENCE),
        ("softmax", EVIDENCE, FAULT),
        (FAULT, "the loss is high", EVIDENCE),
    ],
)
def test_only_the_last_hint_gives_the_answer(fault, evidence, answer):
    verdicts = [check_clinic(7, fault, evidence)]
    while verdicts[-1].hint_number < verdicts[-1].num_hints:
        verdicts.append(check_clinic(7, fault, evidence))
    *first, last = verdicts
    assert answer in last.hint
    for verdict in first:
        assert answer not in verdict.hint


def test_the_second_hint_on_the_evidence_says_where_to_look():
    for fault in (FAULT, choices.DEAD_UNITS):
        hints = [check_clinic(7, fault, choices.SAME_ANSWER).hint for _ in range(2)]
        assert choices.PLACES[EVIDENCE] in hints[1]


def test_each_training_has_a_count_of_hints_of_its_own():
    numbers = [
        check_clinic(number, choices.IN_ORDER, choices.SAWTOOTH).hint_number for number in (3, 4, 3)
    ]
    assert numbers == [1, 1, 2]
