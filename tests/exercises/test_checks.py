"""Claims about every check, for any answer of a student."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import mnist_widgets
from mnist_widgets import (
    EarlyStopping,
    SimpleNet,
    Trainer,
    accuracy,
    confusion_matrix,
    exercises,
    predict_probabilities,
    train_step,
)
from mnist_widgets.exercises import Verdict
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.training.evaluation.measures import precision, recall


def check_output(output):
    return exercises.check_loss_choice("many classes", lambda: (output, nn.CrossEntropyLoss()))


def check_choice(choose):
    return exercises.check_loss_choice("two classes", choose)


def check_loss(loss_fn):
    return exercises.check_loss_choice("regression", lambda: (nn.Identity(), loss_fn))


def find_mistakes(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    mistakes = (predicted != labels).nonzero().flatten()
    return mistakes[confidences[mistakes].argsort(descending=True)[:count]]


RIGHT = {
    exercises.check_network: SimpleNet,
    exercises.check_train_step: train_step,
    exercises.check_trainer: mnist_widgets.trainer,
    check_output: nn.Identity(),
    check_loss: nn.MSELoss(),
    check_choice: lambda: (nn.Sigmoid(), nn.BCELoss()),
    exercises.check_predict_probabilities: predict_probabilities,
    exercises.check_confident_mistakes: find_mistakes,
    exercises.check_confusion_matrix: confusion_matrix,
    exercises.check_scores: lambda counts: (accuracy(counts), recall(counts), precision(counts)),
    exercises.check_callback: lambda patience: EarlyStopping(patience=patience),
}
each_check = pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)


def quits(*_):
    sys.exit()


def prints_for_ever(*_):
    while True:
        print("and on")


def interrupts(*_):
    raise KeyboardInterrupt


def returns(value):
    return lambda *_, **__: value


class Nasty:
    """Raises an error in every use."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")

    def __bool__(self):
        raise RuntimeError("bool")

    def __len__(self):
        raise RuntimeError("len")


ODD_ANSWERS = {
    "None": None,
    "a number": 42,
    "text": "abc",
    "a class": nn.ReLU,
    "a module": nn.ReLU(),
    "something nasty": Nasty(),
    "an instance": object(),
    "no arguments": lambda: 1,
    "quits": quits,
    "prints": prints_for_ever,
    "gives nothing": returns(None),
    "gives text": returns("abc"),
    "gives a number": returns(3),
    "gives a list": returns([1, "a", None]),
    "gives three": returns((1, 2, 3)),
    "gives a dict": returns({"train": [1, None]}),
    "gives nan": returns(torch.tensor(float("nan"))),
    "gives no numbers": returns(torch.empty(0)),
    "gives a generator": returns(number for number in range(3)),
    "gives a module": returns(nn.Linear(3, 3)),
    "gives something nasty": returns(Nasty()),
    "gives a tensor": returns(torch.zeros(3, 3)),
}


@each_check
def test_a_check_never_raises(check):
    for name, answer in ODD_ANSWERS.items():
        verdict = check_odd(check, name, answer)
        assert verdict.hint, name
        assert str(verdict), name
        assert verdict._repr_html_(), name


def test_the_check_of_a_run_never_raises_either():
    for name, run in ODD_ANSWERS.items():
        check_odd(exercises.check_run, name, run)


def test_the_check_of_a_diagnosis_never_raises_either():
    for name, answer in ODD_ANSWERS.items():
        check_odd(lambda number: exercises.check_clinic(number, "", ""), name, answer)
        check_odd(lambda fault: exercises.check_clinic(3, fault, "dead units"), name, answer)
        check_odd(lambda evidence: exercises.check_clinic(3, "dead units", evidence), name, answer)


def check_odd(check, name, answer) -> Verdict:
    """Return the verdict on an odd answer, as if it were the first that the check gets."""
    exercises.start_over()
    try:
        verdict = check(answer)
    except (Exception, SystemExit) as error:
        pytest.fail(f"{check.__name__} raised {error!r} when the answer was: {name}")
    assert isinstance(verdict, Verdict), name
    assert not verdict.passed, name
    return verdict


@each_check
def test_a_right_answer_passes_without_output_and_the_same_each_time(check, capfd):
    verdicts = [check(RIGHT[check]) for _ in range(2)]
    assert verdicts[0].passed, verdicts[0]
    assert verdicts[0] == verdicts[1]
    assert verdicts[0].hint == verdicts[0].mistake == ""
    assert capfd.readouterr() == ("", "")


@each_check
def test_a_check_leaves_no_trace_in_random_numbers_and_gradients(check):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    check(RIGHT[check])
    check(None)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()


@each_check
def test_a_verdict_does_not_depend_on_the_random_numbers_outside(check):
    torch.manual_seed(1)
    first = check(RIGHT[check])
    torch.manual_seed(2)
    torch.rand(10)
    assert check(RIGHT[check]) == first


@each_check
def test_an_interrupt_passes_through(check):
    with pytest.raises(KeyboardInterrupt):
        check(interrupts)


@each_check
def test_a_check_works_when_gradients_are_disabled(check):
    with torch.no_grad():
        assert check(RIGHT[check]).passed


def test_criteria_after_the_first_that_fails_are_not_checked():
    reached = []

    def make_criterion(number):
        def check():
            reached.append(number)
            if number == 2:
                raise ZeroDivisionError
            return f"number {number}"

        return check

    verdict = run_check(
        "odd", {f"Claim {number}": make_criterion(number) for number in (1, 2, 3)}, {}
    )
    assert reached == [1, 2]
    assert [detail.passed for detail in verdict.details] == [True, False, None]
    assert [bool(detail.numbers) for detail in verdict.details] == [True, True, False]


def test_an_unsolved_task_is_not_reached_rather_than_failed():
    verdict = exercises.check_train_step(returns(...))
    assert {detail.passed for detail in verdict.details} == {None}
    assert verdict.mistake == "unsolved"


SCRIPT = """
import sys
from mnist_widgets.exercises import check_train_step

def train_step(model, batch, loss_fn, optimizer, device):
    loss = loss_fn(model(batch[0].to(device)), batch[1].to(device))
    loss.backward()
    optimizer.step()
    return loss.item()

print(check_train_step(train_step))
assert not {"ipywidgets", "IPython"} & set(sys.modules)
"""


def forgets_zero_grad(model, batch, loss_fn, optimizer, device):
    loss = loss_fn(model(batch[0].to(device)), batch[1].to(device))
    loss.backward()
    optimizer.step()
    return loss.item()


def test_in_a_plain_script_the_verdict_is_the_same():
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    script = subprocess.run(command, capture_output=True, text=True, check=True)
    assert script.stdout == f"{exercises.check_train_step(forgets_zero_grad)}\n"
    assert script.stderr == ""


def test_a_trainer_is_no_answer_to_another_exercise():
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, nn.MSELoss(), optimizer, [(torch.ones(1, 2), torch.ones(1, 2))])
    for check in RIGHT:
        assert not check(trainer).passed
