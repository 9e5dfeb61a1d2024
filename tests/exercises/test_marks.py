"""Marks that nbgrader reads and students see, and cells that need a solution."""

from __future__ import annotations

import pytest
from torch import nn

from mnist_widgets.exercises import (
    Detail,
    Verdict,
    award,
    check_network,
    check_train_step,
    once_solved,
)

PASSED = Verdict(passed=True, details=(Detail("It runs", passed=True),), exercise="check_it")
FAILED = Verdict(passed=False, hint="Look again.", exercise="check_it", hint_number=1, num_hints=1)


def unsolved():
    raise NotImplementedError


class Unsolved:
    def __init__(self):
        raise NotImplementedError


@pytest.mark.parametrize(("verdict", "marks"), [(PASSED, "5"), (FAILED, "0")])
def test_nbgrader_reads_all_the_points_or_none(verdict, marks):
    assert repr(award(verdict, points=5)) == marks


def test_half_points_are_read_too():
    assert float(repr(award(PASSED, points=2.5))) == 2.5


def test_a_student_sees_the_card_and_the_marks():
    card = award(FAILED, points=5)._repr_html_()
    assert FAILED._repr_html_() in card
    assert "Marks: 0 of 5" in card
    assert str(award(FAILED, points=5)).startswith(f"{FAILED}\nMarks: 0 of 5")


@pytest.mark.parametrize(("points", "words"), [(5, "all 5"), (2.5, "all 2.5"), (1, "it")])
def test_without_marks_the_card_says_how_to_get_them(points, words):
    assert f"You get {words} when" in str(award(FAILED, points=points))
    assert "You get" not in str(award(PASSED, points=points))


def test_a_check_may_be_passed_as_a_function():
    assert award(lambda: PASSED, points=2).verdict is PASSED


@pytest.mark.parametrize(
    ("check", "mistake"),
    [(unsolved, "unsolved"), (lambda: int("x"), "raises"), (lambda: unknown, "not_defined")],  # noqa: F821
)
def test_an_error_before_a_check_gives_no_marks_and_is_not_raised(check, mistake):
    marks = award(check, points=2)
    assert repr(marks) == "0"
    assert marks.verdict.mistake == mistake


def test_an_undefined_name_in_one_task_uses_no_hints_of_another():
    first = award(lambda: check_network(SimpleNet), points=2).verdict  # noqa: F821
    other = award(lambda: check_train_step(train_step), points=2).verdict  # noqa: F821
    again = award(lambda: check_network(SimpleNet), points=2).verdict  # noqa: F821
    assert [verdict.hint_number for verdict in (first, other, again)] == [1, 1, 2]
    assert [first.exercise, other.exercise] == [
        "check_network, SimpleNet",
        "check_train_step, train_step",
    ]
    assert "`SimpleNet`" in first.hint


def write_later():
    raise NotImplementedError("write me")


@pytest.mark.parametrize(
    ("function", "name"),
    [(write_later, "write_later"), (unsolved, "unsolved"), (Unsolved, "Unsolved")],
)
def test_a_cell_names_the_unsolved_function_that_it_needs(capsys, function, name):
    with once_solved():
        function()
        pytest.fail("the lines after it must not run")
    assert f"This cell needs your {name}. " in capsys.readouterr().out


def test_solved_cells_run_normally(capsys):
    with once_solved():
        print("solved")
    assert capsys.readouterr().out == "solved\n"


def test_other_errors_are_raised():
    with pytest.raises(ZeroDivisionError), once_solved():
        1 / 0  # noqa: B018


def test_a_network_without_forward_does_not_count_as_unsolved():
    with pytest.raises(NotImplementedError, match="forward"), once_solved():
        nn.Module()(1)
