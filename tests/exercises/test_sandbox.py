"""Running a student's code: no effects outside, and a named mistake for each error."""

from __future__ import annotations

import random
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from timeouts import TIMEOUT_S
from tqdm import tqdm

from mnist_widgets import Callback, TrainingSession
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import (
    as_tensor,
    describe,
    find_mistake,
    isolated,
    require_result,
)


def draw() -> list[float]:
    return [torch.rand(1).item(), random.random(), np.random.rand()]  # noqa: NPY002 - students may


def test_random_numbers_outside_continue_as_if_none_had_been_drawn():
    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    expected = draw()
    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    with isolated():
        draw()
    assert draw() == expected


def test_random_numbers_inside_are_the_same_each_time():
    drawn = []
    for _ in range(2):
        with isolated():
            drawn.append(draw())
        draw()
    assert drawn[0] == drawn[1]


def test_a_student_who_seeds_changes_nothing_outside():
    state = torch.get_rng_state()
    with isolated():
        torch.manual_seed(42)
    assert torch.equal(torch.get_rng_state(), state)


def test_output_and_warnings_are_discarded(capfd):
    with isolated():
        print("hello")
        print("hello", file=sys.stderr)
        warnings.warn("hello", stacklevel=1)
        for _ in tqdm(range(3), desc="hello"):
            pass
    print("after")
    assert capfd.readouterr() == ("after\n", "")


def test_a_background_training_still_prints_and_a_students_thread_does_not(capsys, make_trainer):
    class Prints(Callback):
        def on_batch_end(self, trainer, report):
            print("x" * 30_000)  # more in all than a student's code may print
            print("to stderr", file=sys.stderr)

    session = TrainingSession(make_trainer(callbacks=[Prints()]), wait=False)
    try:
        session.step(epochs=1)  # starts its thread before the check
        session.between_batches(lambda: None).result(TIMEOUT_S)
        capsys.readouterr()
        with isolated():
            print("a student's line")
            student = threading.Thread(target=print, args=["a student's thread"])
            student.start()
            student.join()
            session.resume()
            session.join(TIMEOUT_S)
    finally:
        session.close()
    output, errors = capsys.readouterr()
    assert session.state == "finished"
    assert output.count("x" * 30_000) == errors.count("to stderr") == 4
    assert "student" not in output


def test_gradients_are_computed_even_if_they_are_disabled_outside():
    with torch.no_grad():
        with isolated():
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()


def test_a_student_who_disables_gradients_changes_nothing_outside():
    with isolated():
        torch.set_grad_enabled(False)
    assert torch.is_grad_enabled()


def catch(function, *arguments) -> Mistake:
    with isolated():
        try:
            function(*arguments)
        except BaseException as error:
            return find_mistake(error)
    raise AssertionError("nothing was raised")


def prints_for_ever():
    while True:
        print("again and again")


def prints_for_ever_and_ignores_errors():
    while True:
        try:
            print("again and again")
        except Exception:
            continue


def divides_by_zero():
    return 1 / 0


def quits():
    sys.exit("bye")


def is_unsolved():
    raise NotImplementedError


def has_dots():
    first, second = ...
    return first + second


def uses_dots():
    return torch.zeros(3) + ...


def calls_torch_wrongly():
    return torch.nn.functional.nll_loss(torch.zeros(2, 2).long(), torch.zeros(2).long())


def recurses():
    return recurses()


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def raises_the_unspeakable():
    raise UnspeakableError


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (prints_for_ever, "endless_output"),
        (prints_for_ever_and_ignores_errors, "endless_output"),
        (divides_by_zero, "raises"),
        (quits, "exits"),
        (is_unsolved, "unsolved"),
        (has_dots, "unsolved"),
        (uses_dots, "unsolved"),
        (calls_torch_wrongly, "raises"),
        (recurses, "raises"),
        (raises_the_unspeakable, "raises"),
    ],
)
def test_every_error_becomes_a_named_mistake(function, name):
    assert catch(function).name == name


def test_an_error_is_shown_with_the_students_line():
    mistake = catch(divides_by_zero)
    assert mistake.values["error"] == "ZeroDivisionError: division by zero"
    assert mistake.values["where"].endswith("`return 1 / 0`")


def test_the_line_is_the_students_even_if_torch_raised():
    assert "nll_loss(" in catch(calls_torch_wrongly).values["where"]


def test_arguments_that_do_not_fit_are_no_error_in_the_code():
    error = TypeError("f() takes 1 positional argument but 2 were given")
    assert find_mistake(error).name == "wrong_arguments"


def test_an_error_without_a_line_of_the_student_comes_from_the_result():
    assert find_mistake(ValueError("too many dimensions 'str'")).name == "unusable"


def test_a_name_that_the_calling_line_does_not_find_is_no_error_in_a_students_code():
    for check in (lambda: unknown, lambda: [unknown for _ in range(2)]):  # noqa: F821
        verdict = run_check("odd", {"It runs": check}, {})
        assert verdict.mistake == "not_defined"
        assert "`unknown`" in verdict.hint


def misspells():
    return unknown  # noqa: F821


def misspells_in_a_row():
    return [unknown for _ in range(2)]  # noqa: F821


@pytest.mark.parametrize("function", [misspells, misspells_in_a_row])
def test_a_name_that_a_students_function_does_not_find_is_one(function):
    assert catch(function).name == "unknown_name"


def passes_a_layer_to_relu():
    torch.relu(torch.nn.Linear(2, 2))


def calls_a_layer_with_a_layer():
    torch.nn.Linear(2, 2)(torch.nn.ReLU())


def moves_a_whole_batch():
    (torch.zeros(1), torch.zeros(1)).to("cpu")


def moves_the_weight():
    weight = torch.ones(1, requires_grad=True)
    weight -= 0.1


def multiplies_no_gradient():
    weight = torch.ones(1, requires_grad=True)
    return 0.1 * weight.grad


def adds_up_nothing():
    return 0.1 + None


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (passes_a_layer_to_relu, "layer_for_numbers"),
        (calls_a_layer_with_a_layer, "layer_for_numbers"),
        (moves_a_whole_batch, "batch_for_a_tensor"),
        (moves_the_weight, "moved_by_hand"),
        (multiplies_no_gradient, "moved_by_hand"),
        (adds_up_nothing, "raises"),
    ],
)
def test_common_errors_are_recognized_by_their_messages(function, name):
    assert catch(function).name == name


def test_a_mistake_is_returned_unchanged():
    mistake = Mistake("transposed", "rows and columns")
    assert find_mistake(mistake) is mistake


def test_long_messages_are_shortened_and_addresses_removed():
    error = ValueError("x" * 10_000)
    assert len(find_mistake(error).found) < 400
    assert find_mistake(ValueError(f"bad {object()!r}")).found == "ValueError: bad <object object>"


def is_empty(argument):
    """Do something."""


def forgets_return(argument):
    argument + 1


def test_none_means_unsolved_only_if_the_function_is_empty():
    for function, name in ((is_empty, "unsolved"), (forgets_return, "returns_none")):
        with pytest.raises(Mistake) as caught:
            require_result(None, function)
        assert caught.value.name == name
    require_result(0, is_empty)


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([1, 2]),
        np.array([1, 2]),
        [1, 2],
        (torch.tensor(1), torch.tensor(2)),
        np.array([2, 1])[::-1],
        [torch.tensor(1.0, requires_grad=True), 2],
        torch.tensor([1.0, 2.0], requires_grad=True),
    ],
)
def test_numbers_in_any_form_become_a_tensor(value):
    assert as_tensor(value).tolist() == [1, 2]
    assert not as_tensor(value).requires_grad
    nested = as_tensor([list(value) for _ in range(3)])
    assert nested.tolist() == [[1, 2]] * 3


@pytest.mark.parametrize("value", ["text", {"a": 1}, [1, "b"], object(), [torch.ones(2), 1]])
def test_what_cannot_become_a_tensor_is_named(value):
    with pytest.raises(Mistake) as caught:
        as_tensor(value)
    assert caught.value.name == "not_numbers"


def test_values_are_described_in_a_few_words():
    assert describe(torch.zeros(2, 3)) == "a tensor (float32) of shape (2, 3)"
    assert describe(3.5) == "3.5 (float)"
    assert describe(torch.nn.ReLU) == "the class ReLU itself"
    assert describe(torch.nn.ReLU()) == "an object of the class ReLU"
    assert len(describe(list(range(10_000)))) < 100


def test_output_after_the_check_has_no_limit():
    with isolated():
        kept = sys.stdout
    for _ in range(20):
        kept.write("x" * 10_000)
