"""Answers compared with what was expected: what counts as equal, and what a card says if not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mnist_widgets.exercises import check_answer


def check(found, expected, **options):
    return check_answer("task", "It is right", lambda: found, expected=expected, **options)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (23, 23),
        (3.08001, 3.08),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (torch.tensor(2.5), 2.5),
        (torch.tensor(True), True),
        ("stopped", "stopped"),
        ([1, 2.0], (1, 2)),
        ({"loss": 0.1, "mode": True}, {"mode": True, "loss": 0.1}),
        (torch.tensor([1, 2], dtype=torch.int32), torch.tensor([1, 2])),
        (torch.tensor([0.5], requires_grad=True), torch.tensor([0.5], dtype=torch.float64)),
    ],
)
def test_right_answers_pass_however_they_are_written(found, expected):
    assert check(found, expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (22, 23),
        (3.09, 3.08),
        (float("nan"), 0.5),
        (1, True),
        (True, 1),
        ("finished", "stopped"),
        ([1], [1, 2]),
        (3, [3]),
        ({"loss": 0.1}, {"loss": 0.1, "mode": True}),
        ({"loss": 0.2}, {"loss": 0.1}),
        (torch.tensor([[1, 2]]), torch.tensor([1, 2])),
        (torch.tensor([1.0, 2.0]), torch.tensor([1, 2])),
        (torch.tensor([1, 0]), torch.tensor([True, False])),
        (torch.tensor([0.5, float("nan")]), torch.tensor([0.5, 0.5])),
        ([1, 2], torch.tensor([1, 2])),
    ],
)
def test_wrong_answers_are_told_with_what_was_expected_and_found(found, expected):
    verdict = check(found, expected)
    assert not verdict
    assert verdict.mistake == "other_answer"
    [detail] = verdict.details
    assert "expected" in detail.numbers
    assert "found" in detail.numbers


def test_the_tolerance_can_be_chosen():
    assert not check(1.46, 1.4612)
    assert check(1.46, 1.4612, tolerance=0.01)


def test_hints_come_one_at_a_time_and_braces_are_no_blanks():
    hints = ["Return a {set}.", "Return {1, 2}."]
    shown = [check({1}, {1, 2}, hints=hints).hint for _ in range(3)]
    assert shown == [hints[0], hints[1], hints[1]]


def test_each_task_has_hints_of_its_own():
    check(1, 2, hints=["first", "second"])
    other = check_answer("other", "It is right", lambda: 1, expected=2, hints=["first", "second"])
    assert other.hint == "first"


def test_what_is_unsolved_is_told_apart():
    def unsolved():
        raise NotImplementedError

    assert check_answer("task", "It is right", unsolved, expected=1).mistake == "unsolved"


def test_nothing_returned_is_told_apart():
    assert check(None, 1).mistake == "returns_none"


def test_an_error_in_a_students_code_becomes_a_verdict():
    verdict = check_answer("task", "It is right", lambda: int("x"), expected=1)
    assert verdict.mistake == "raises"
    assert "ValueError" in str(verdict)


def test_a_large_tensor_does_not_flood_the_card():
    verdict = check(torch.zeros(28, 28), torch.ones(28, 28))
    assert "shape (28, 28)" in str(verdict)
    assert len(str(verdict)) < 500
