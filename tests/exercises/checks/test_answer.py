"""`check_answer`: which answers equal the expected one, and what the card says about others."""

from __future__ import annotations

import numpy as np
import pandas as pd
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
        (float("nan"), float("nan")),
        (torch.tensor([0.5, float("nan")]), torch.tensor([0.5, float("nan")])),
        ({"a", "b"}, {"b", "a"}),
        (["b", "a"], {"a", "b"}),
        ((torch.tensor(2), np.int64(1)), (2, 1)),
        (torch.tensor([2, 1]), (2, 1)),
        (np.array([0.5, 1.0]), [0.5, 1.0]),
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
        (0.5, float("nan")),
        (torch.tensor([1.0, 2.0, 3.0]), 1.0),
        (["a"], {"a", "b"}),
        ("a", {"a"}),
    ],
)
def test_wrong_answers_show_expected_and_found(found, expected):
    verdict = check(found, expected)
    assert not verdict
    assert verdict.mistake == "other_answer"
    [detail] = verdict.details
    assert "expected" in detail.numbers
    assert "found" in detail.numbers


def test_the_tolerance_can_be_chosen():
    assert not check(1.46, 1.4612)
    assert check(1.46, 1.4612, tolerance=0.01)


def test_hints_come_one_at_a_time_and_keep_their_braces():
    hints = ["Return a {set}.", "Return {1, 2}."]
    shown = [check({1}, {1, 2}, hints=hints).hint for _ in range(3)]
    assert shown == [hints[0], hints[1], hints[1]]


def test_each_task_has_hints_of_its_own():
    check(1, 2, hints=["first", "second"])
    other = check_answer("other", "It is right", lambda: 1, expected=2, hints=["first", "second"])
    assert other.hint == "first"


def test_an_unsolved_task_is_recognized():
    def unsolved():
        raise NotImplementedError

    assert check_answer("task", "It is right", unsolved, expected=1).mistake == "unsolved"


def test_a_missing_return_is_recognized():
    assert check(None, 1).mistake == "returns_none"


def test_an_error_in_a_students_code_becomes_a_verdict():
    verdict = check_answer("task", "It is right", lambda: int("x"), expected=1)
    assert verdict.mistake == "raises"
    assert "ValueError" in str(verdict)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"loss": None, "mode": True}, {"loss": 0.5, "mode": True}),
        ([None, None], [0.3, 1.4]),
    ],
)
def test_a_part_that_is_none_was_not_returned(found, expected):
    assert check(found, expected).mistake == "returns_none"


@pytest.mark.parametrize(
    "found", [[2, 0, 9], (2, 0, 9), np.array([2, 0, 9]), 2, "2, 0, 9"], ids=str
)
def test_a_result_that_should_be_a_tensor_is_recognized(found):
    verdict = check(found, torch.tensor([2, 0, 9]))
    assert verdict.mistake == "not_a_tensor"
    assert "expected tensor([2, 0, 9]), found " in verdict.details[0].numbers


def test_answers_are_shown_as_python_shows_them():
    shown = check([2, (0, 9), {"b", "a"}, 0.123456, "x"], torch.tensor([2.5])).details[0].numbers
    assert shown == "expected tensor([2.5]), found [2, (0, 9), {'a', 'b'}, 0.1235, 'x']"


def test_answers_that_look_alike_are_shown_with_their_types():
    for found, expected, words in (
        (
            torch.tensor([1, 2]),
            torch.tensor([1.0, 2.0]),
            "tensor([1, 2]) (float32), found tensor([1, 2]) (int64)",
        ),
        (
            [torch.ones(1)],
            [torch.ones(1).long()],
            "[tensor([1])] (int64), found [tensor([1])] (float32)",
        ),
        (1000.2, 1000.3, "expected 1000.3, found 1000.2"),
        (True, torch.tensor([1.0, 2.0]), "expected tensor([1, 2]), found True"),
        (torch.ones(4, 4), torch.zeros(4, 4), "(4, 4), found a tensor (float32) of shape (4, 4)"),
    ):
        assert words in check(found, expected).details[0].numbers


def test_a_series_of_pandas_is_a_list():
    assert check(pd.Series([5, 9]), [5, 9]).passed
    assert check({"sums": pd.Series([5.0, 9.0])}, {"sums": [5, 9]}).passed
    assert check(pd.DataFrame({"a": [1, 2], "b": [3, 4]}), [[1, 3], [2, 4]]).passed
    for expected in (5, "five", [5, 8], {5, 9}, {"sum": 5}, torch.tensor([5, 9])):
        assert check(pd.Series([5, 9]), expected).mistake in {"other_answer", "not_a_tensor"}


def test_an_answer_that_cannot_be_compared_is_another_answer():
    for found, expected in (([[1]], {1}), (10**400, 5.0), (5.0, 10**400)):
        assert check(found, expected).mistake == "other_answer"


def test_a_long_list_is_shown_by_its_first_and_last_numbers():
    assert "50 values [0, 1, 2, ..., 49]" in str(check(list(range(50)), [1.0]))


KNOWN = {"This is the sum {of all}.": [6, 15], "This is the first.": [1, 4]}


@pytest.mark.parametrize(("found", "hint"), [(wrong, hint) for hint, wrong in KNOWN.items()])
def test_a_known_wrong_answer_gets_the_hint_that_fits_it(found, hint):
    for _ in range(2):
        verdict = check(found, [2, 5], known=KNOWN, hints=["Divide."])
        assert verdict.hint == hint
    assert check([7, 7], [2, 5], known=KNOWN, hints=["Divide."]).hint == "Divide."


def test_each_known_answer_has_a_name_of_its_own():
    names = {check(found, [2, 5], known=KNOWN).mistake for found in KNOWN.values()}
    assert names == {"known_answer_1", "known_answer_2"}


def test_an_undefined_name_is_not_blamed_on_the_line_that_uses_it():
    verdict = check_answer("add", "It adds", lambda: add(2, 3), expected=5)  # noqa: F821
    assert verdict.mistake == "not_defined"
    assert "`add`" in verdict.hint


def test_a_large_tensor_does_not_flood_the_card():
    verdict = check(torch.zeros(28, 28), torch.ones(28, 28))
    assert "shape (28, 28)" in str(verdict)
    assert len(str(verdict)) < 500
