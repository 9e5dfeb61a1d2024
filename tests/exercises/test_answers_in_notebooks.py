"""Students' answers in their notebook, and in the cells that follow.

Each test runs a solved notebook, then replaces one solution by an answer.
tests/test_exercise_notebooks.py tests the notebooks with nbgrader.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from math import e, inf
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from mnist_widgets import RunConfig, load_bundled_digits, train_step
from mnist_widgets.exercises import Verdict, award, check_answer, start_over

SOLUTIONS = Path(__file__).parents[2] / "notebooks/solutions"


class Notebook:
    """A solved notebook; `names` are the variables that its cells have defined."""

    def __init__(self, number: int) -> None:
        [path] = SOLUTIONS.glob(f"{number:02}_*.ipynb")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        self.names = {"__name__": "__main__", "display": lambda _shown: None}
        self._cells = [
            ("".join(cell["source"]), cell["metadata"].get("nbgrader", {"grade_id": ""}))
            for cell in cells
            if cell["cell_type"] == "code"
        ]

    def run(self, *, after: str = "", until: str = "") -> list[Verdict]:
        """Run cells, and return the verdicts of their checks.

        They begin after the solution of one task and end with the check of another. The solutions
        between them are skipped, because an answer may have replaced one.
        """
        ids = [marks["grade_id"] for _, marks in self._cells]
        begin = ids.index(after) + 1 if after else 0
        end = ids.index(f"{until}_check") + 1 if until else len(ids)
        verdicts = []
        for source, marks in self._cells[begin:end]:
            value = None
            if not (after and marks.get("solution")):
                value = run_cell(source, self.names)
            if marks.get("grade"):
                verdicts.append(value.verdict)
        return verdicts

    def check(self, task: str) -> Verdict:
        """Return the verdict on the current answer to a task."""
        [verdict] = self.run(after=task, until=task)
        return verdict


def run_cell(source: str, names: dict):
    """Run a cell as a kernel does, and return the value of its last line."""
    *lines, last = ast.parse(source).body
    is_value = isinstance(last, ast.Expr)
    exec(compile(ast.Module(lines if is_value else [*lines, last], []), "<cell>", "exec"), names)
    return eval(ast.unparse(last), names) if is_value else None


@cache
def solve(number: int) -> Notebook:
    notebook = Notebook(number)
    # the later cells of exercise 7 wait for a training, which needs a kernel
    assert all(notebook.run(until="stop_early" if number == 7 else ""))
    return notebook


def convert(form):
    """Return a function that converts a solution to one with results of another form."""

    def wrap(solution):
        return lambda *arguments, **options: form(solution(*arguments, **options))

    return wrap


SAME_IN_OTHER_FORMS = [
    (1, "read_digits", lambda digits: digits.to(torch.int32)),
    (1, "count_parameters", torch.tensor),
    (2, "memorize", tuple),
    (4, "find_smallest_loss", torch.tensor),
    (5, "softmax", lambda shares: shares.double()),
    (5, "predict_probabilities", lambda shares: shares.double()),
    (5, "find_confident_mistakes", torch.Tensor.tolist),
    (5, "find_confident_mistakes", torch.Tensor.numpy),
    (5, "find_confident_mistakes", lambda positions: positions.to(torch.int32)),
    (5, "find_confident_mistakes", lambda positions: tuple(positions.tolist())),
    (5, "find_confident_mistakes", list),
    (6, "count_confusions", lambda counts: counts.to(torch.int32)),
    (6, "compute_scores", lambda scores: [torch.tensor(scores[0]), *scores[1:]]),
    (
        6,
        "compute_scores",
        lambda scores: [np.float64(scores[0]), *map(torch.Tensor.numpy, scores[1:])],
    ),
    (6, "compute_scores", lambda scores: [scores[0], *(score.tolist() for score in scores[1:])]),
    (6, "compute_scores", lambda scores: [scores[0], *map(list, scores[1:])]),
    (6, "find_most_frequent_mistake", torch.tensor),
    (6, "find_most_frequent_mistake", list),
]


@pytest.mark.parametrize(("number", "task", "form"), SAME_IN_OTHER_FORMS)
def test_an_answer_that_passes_works_in_the_cells_that_follow(monkeypatch, number, task, form):
    notebook = solve(number)
    monkeypatch.setitem(notebook.names, task, convert(form)(notebook.names[task]))
    assert all(notebook.run(after=task))


# each is (number of the notebook, task), in the order in which students meet them
TASKS = [
    (1, "count_parameters"),
    (1, "read_digits"),
    (2, "walk_downhill"),
    (2, "train_step"),
    (2, "memorize"),
    (3, "train_epoch"),
    (3, "measure_accuracy"),
    (3, "trainer"),
    (4, "choose_for_two_classes"),
    (4, "choose_for_many_classes"),
    (4, "choose_for_regression"),
    (4, "find_smallest_loss"),
    (4, "decide"),
    (5, "softmax"),
    (5, "predict_probabilities"),
    (5, "find_confident_mistakes"),
    (6, "count_confusions"),
    (6, "compute_scores"),
    (6, "find_most_frequent_mistake"),
]
each_task = pytest.mark.parametrize(("number", "task"), TASKS)
# the others are called once; their check uses the network or the choice that they made
CALLED_TWICE = [
    (number, task)
    for number, task in TASKS
    if not task.startswith(("choose", "memorize", "predict", "train_epoch", "measure"))
]


@each_task
def test_a_forgotten_return_is_recognized(monkeypatch, number, task):
    notebook = solve(number)
    monkeypatch.setitem(notebook.names, task, convert(lambda _result: None)(notebook.names[task]))
    verdict = notebook.check(task)
    assert verdict.mistake == "returns_none", verdict


@pytest.mark.parametrize(("number", "task"), CALLED_TWICE)
def test_a_constant_answer_does_not_pass(monkeypatch, number, task):
    notebook = solve(number)
    solution, results = notebook.names[task], []

    def remembers_its_first_result(*arguments, **options):
        if not results:
            results.append(solution(*arguments, **options))
        return results[0]

    monkeypatch.setitem(notebook.names, task, remembers_its_first_result)
    assert not notebook.check(task)


# by task: the name of its class, if it has another one
CLASSES = {"simple_net": "SimpleNet", "patience": "Patience", "stop_early": "StopEarly"}


@pytest.mark.parametrize(
    ("number", "task"), [(1, "simple_net"), (7, "patience"), (7, "stop_early"), *TASKS]
)
def test_a_cell_that_fails_loses_only_its_own_marks(monkeypatch, number, task):
    notebook = solve(number)
    name = CLASSES.get(task, task)
    monkeypatch.delitem(notebook.names, name)
    verdict = notebook.check(task)
    assert verdict.mistake == "not_defined", verdict
    assert f"`{name}`" in verdict.hint


def memorize_without_training(model, batch, loss_fn, optimizer, num_steps):
    return [0.0] * num_steps


def memorize_the_last_loss(model, batch, loss_fn, optimizer, num_steps):
    for _ in range(num_steps):
        loss = train_step(model, batch, loss_fn, optimizer, torch.device("cpu"))
    return loss


def walk_with_old_gradients(start, learning_rate, num_steps):
    weight = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=learning_rate)
    for _ in range(num_steps):
        ((weight - 5) ** 2).backward()
        optimizer.step()
    return weight.item()


def train_epoch(combine, prepare=nn.Module.train):
    """Return a student's `train_epoch` with another use of the losses or another mode."""

    def train(model, loader, loss_fn, optimizer, device):
        prepare(model)
        return combine([train_step(model, batch, loss_fn, optimizer, device) for batch in loader])

    return train


def measure_accuracy(combine, prepare=nn.Module.eval, dim=1):
    """Return a student's `measure_accuracy` with another way to count or another mode."""

    def measure(model, batches, device):
        prepare(model)
        pairs = [(model(inputs).argmax(dim=dim), targets) for inputs, targets in batches]
        num_right = [(predicted == targets).sum().item() for predicted, targets in pairs]
        return combine(num_right, [len(targets) for _, targets in pairs])

    return measure


def divide_sums(num_right, sizes):
    return sum(num_right) / sum(sizes)


def average(values):
    return sum(values) / len(values)


def average_shares(num_right, sizes):
    return average([right / size for right, size in zip(num_right, sizes, strict=True)])


class Patience:
    """As in the solution; those below differ in one thing."""

    def __init__(self, limit):
        self.limit, self.best, self.num_waited = limit, inf, 0

    def runs_out(self, value):
        self.note(value, self.is_better(value))
        return self.num_waited >= self.limit

    def is_better(self, value):
        return value < self.best

    def note(self, value, is_better):
        self.num_waited = 0 if is_better else self.num_waited + 1
        self.best = min(self.best, value)


class PatienceWithoutReturn(Patience):
    def runs_out(self, value):
        super().runs_out(value)


class PatienceWithTheLast(Patience):
    def note(self, value, is_better):
        super().note(value, is_better)
        self.best = value


class PatienceWithEquals(Patience):
    def is_better(self, value):
        return value <= self.best


class PatienceThatIsLate(Patience):
    def runs_out(self, value):
        super().runs_out(value)
        return self.num_waited > self.limit


class PatienceThatForgetsNothing(Patience):
    def note(self, value, is_better):
        self.num_waited += not is_better
        self.best = min(self.best, value)


class PatienceOfTwo(Patience):
    def __init__(self, limit):
        super().__init__(2)


class PatienceOfItsOwn(Patience):
    """A right answer, written in another way."""

    def __init__(self, limit):
        self.limit, self.values = limit, []

    def runs_out(self, value):
        self.values.append(value)
        return len(self.values) - 1 - self.values.index(min(self.values)) >= self.limit


def find_greatest_count(counts):
    return divmod(counts.argmax().item(), len(counts))


def divide_by_ten(counts):
    return divmod(counts.clone().fill_diagonal_(0).argmax().item(), 10)


WRONG = [
    (1, "count_parameters", lambda model: len(list(model.parameters())), "how many tensors"),
    (1, "read_digits", lambda model, images: model(images).argmax(dim=0), "which dim"),
    (1, "read_digits", lambda model, images: model(images).argmax(dim=1).tolist(), "not a tensor"),
    (2, "walk_downhill", walk_with_old_gradients, "zero_grad()"),
    (2, "walk_downhill", lambda start, *_: start, "never moved"),
    (2, "memorize", memorize_without_training, "append what it returns"),
    (2, "memorize", memorize_the_last_loss, "last loss alone"),
    (3, "train_epoch", train_epoch(average, prepare=nn.Module.eval), "model.train()"),
    (3, "train_epoch", train_epoch(lambda losses: losses[-1]), "last batch alone"),
    (
        3,
        "train_epoch",
        train_epoch(lambda losses: losses[-1] / len(losses)),
        "those of all batches first",
    ),
    (3, "train_epoch", train_epoch(sum), "Divide it by their number"),
    (3, "train_epoch", train_epoch(lambda losses: losses[0]), "first loss alone"),
    (3, "train_epoch", train_epoch(lambda losses: sum(losses) / 2), "Train every batch"),
    (3, "measure_accuracy", measure_accuracy(divide_sums, nn.Module.train), "model.eval()"),
    (3, "measure_accuracy", measure_accuracy(divide_sums, dim=0), "argmax(dim=1), not dim=0"),
    (3, "measure_accuracy", measure_accuracy(average_shares), "last image count as ten"),
    (3, "measure_accuracy", measure_accuracy(lambda num, _: sum(num)), "a number of images"),
    (3, "measure_accuracy", measure_accuracy(lambda num, _: average(num)), "not batches"),
    (3, "measure_accuracy", lambda *_: 0.5, "Sum the right answers"),
    (7, "patience", PatienceWithoutReturn, "end in a return"),
    (7, "patience", PatienceWithTheLast, "not with the value before"),
    (7, "patience", PatienceWithEquals, "use <, not <="),
    (7, "patience", PatienceThatIsLate, "use >=, not >"),
    (7, "patience", PatienceThatForgetsNothing, "sets num_waited back to 0"),
    (7, "patience", PatienceOfTwo, "not a number written out"),
    (4, "find_smallest_loss", lambda _num_classes: 0.0, "e to the 0 is 1"),
    (4, "find_smallest_loss", lambda num_classes: e / (e + num_classes - 1), "probability"),
    (4, "decide", lambda scores: scores > 0.5, "not the raw score"),
    (4, "decide", lambda scores: (scores > 0).tolist(), "not a tensor"),
    (5, "softmax", lambda scores: scores.exp() / scores.exp().sum(1, keepdim=True), "nan comes"),
    (6, "find_most_frequent_mistake", find_greatest_count, "diagonal"),
    (6, "find_most_frequent_mistake", divide_by_ten, "len(counts)"),
]


@pytest.mark.parametrize(("number", "task", "answer", "words"), WRONG)
def test_a_likely_mistake_gets_the_hint_that_fits_it(monkeypatch, number, task, answer, words):
    notebook = solve(number)
    monkeypatch.setitem(notebook.names, CLASSES.get(task, task), answer)
    start_over()
    verdict = notebook.check(task)
    assert not verdict
    assert words in verdict.hint, verdict


@pytest.mark.parametrize("answer", [Patience, PatienceOfItsOwn])
def test_patience_passes_however_it_is_written(monkeypatch, answer):
    notebook = solve(7)
    monkeypatch.setitem(notebook.names, "Patience", answer)
    assert notebook.check("patience")


def read_with_methods(model, images):
    model.eval()
    with torch.inference_mode():
        return model.forward(images).argmax(dim=1)


def test_a_network_passed_by_a_check_has_the_usual_methods(monkeypatch):
    notebook = solve(1)
    monkeypatch.setitem(notebook.names, "read_digits", read_with_methods)
    assert notebook.check("read_digits")


def test_the_pairs_do_not_stand_above_the_task_to_find_them():
    [path] = SOLUTIONS.glob("04_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in cells]
    above = cells[: ids.index("choose_for_regression")]
    lines = "".join("".join(cell["source"]) for cell in above if cell["cell_type"] == "markdown")
    outputs, losses = (
        ("Identity", "nothing", "Sigmoid", "LogSoftmax"),
        ("BCE", "NLL", "MSE", "Cross"),
    )
    for line in lines.splitlines():
        named = [[name for name in names if name in line] for names in (outputs, losses)]
        assert not all(named), line


def check_goal(task, answer, run=None) -> Verdict:
    """Return the verdict on an answer of exercise 8, with or without a run of the small digits."""
    notebook = Notebook(8)
    session = None if run is None else SimpleNamespace(trainer=run)
    kit = {"award": award, "check_answer": check_answer, "nn": nn, "torch": torch}
    notebook.names |= {**kit, "usual_batch_size": 32, "session": session, task: answer}
    return notebook.check(task)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda most: most // 794, "Biases"),
        (lambda most: most // 795, "Biases"),
        (lambda most: (most - 10) / 795, "rounds down"),
        (lambda _most: 62, "784 weights"),
        (lambda _most: None, "returned nothing"),
    ],
)
def test_a_likely_number_of_hidden_units_gets_the_hint_that_fits_it(answer, words):
    start_over()
    assert words in check_goal("find_most_hidden_units", answer).hint


def check_changes(answer, run) -> Verdict:
    return check_goal("name_changes", lambda: answer, run)


def build_run(loss_fn=None, **settings):
    trainer = RunConfig(**{"batch_size": 32, **settings}).build(*load_bundled_digits())
    trainer.loss_fn = loss_fn or trainer.loss_fn
    return trainer


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({}, set()),
        ({"hidden_units": 62}, set()),
        ({"batch_size": 8, "learning_rate": 0.006}, {"batch size", "learning rate"}),
        ({"optimizer": "sgd"}, {"optimizer"}),
        ({"optimizer": "adamw"}, {"optimizer", "weight decay"}),
        ({"weight_decay": 0.01}, {"weight decay"}),
        ({"augment": True}, {"augmentation"}),
        ({"dropout": 0.3}, {"network"}),
        ({"network": "convolutional"}, {"network"}),
        ({"loss": "mse"}, {"loss"}),
        ({"loss_fn": nn.CrossEntropyLoss()}, set()),
        ({"loss_fn": nn.CrossEntropyLoss(label_smoothing=0.1)}, {"loss"}),
        ({"loss_fn": nn.CrossEntropyLoss(torch.arange(10.0))}, {"loss"}),
    ],
)
def test_changes_are_those_of_the_run(settings, changes):
    run = build_run(**settings)
    assert check_changes(changes, run)
    assert check_changes(list(changes), run)
    assert not check_changes(changes ^ {"loss"}, run)


def test_a_schedule_changes_the_learning_rate():
    run = build_run(schedule="cosine")
    run.fit(2)
    assert check_changes({"learning rate"}, run)
    assert not check_changes(set(), run)


def test_the_card_lists_the_changes_that_were_made_and_those_that_were_named():
    shown = check_changes({"loss"}, build_run(batch_size=8)).details[0].numbers
    assert shown == "expected changes {'batch size'}, found changes {'loss'}"


def test_changes_without_a_run_are_unsolved():
    assert check_changes({"loss"}, None).mistake == "unsolved"


def test_changes_that_are_not_returned_are_recognized():
    assert check_changes(None, build_run()).mistake == "returns_none"
