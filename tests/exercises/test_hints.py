"""The hints: one at a time, in order, and one for everything that a check can recognize."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import mnist_widgets.exercises.hints
from mnist_widgets.exercises import check_train_step, start_over
from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Mistake, choose_hint, reset_hints

FOLDER = Path(mnist_widgets.exercises.hints.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.md"))
LADDER = {"late": ["first", "second {found}", "third"], "early": ["only"]}
MORE_SOURCES = {
    "trainer": ["history_criteria", "recorders", "device_criterion"],
    "train_step": ["device_criterion"],
    "loss_choice": ["wrong_losses"],
}


def test_the_next_call_gives_the_next_hint_and_then_the_last():
    mistake = Mistake("late", "5 minutes")
    hints = [choose_hint("bus", mistake, LADDER) for _ in range(4)]
    assert hints == [
        ("first", 1, 3),
        ("second 5 minutes", 2, 3),
        ("third", 3, 3),
        ("third", 3, 3),
    ]


def test_each_mistake_and_each_exercise_has_a_count_of_its_own():
    for exercise, name in (("bus", "late"), ("bus", "early"), ("train", "late")):
        assert choose_hint(exercise, Mistake(name, ""), LADDER)[1] == 1
    assert choose_hint("bus", Mistake("late", ""), LADDER)[1] == 2


def test_another_error_of_python_is_another_mistake_but_other_numbers_are_not():
    hints = {"raises": ["first", "second"], "late": ["first", "second"]}
    for name, numbers in (("raises", [1, 1, 2]), ("late", [1, 2, 2])):
        mistakes = [Mistake(name, found) for found in ("this", "that", "that")]
        assert [choose_hint("bus", mistake, hints)[1] for mistake in mistakes] == numbers


def test_resetting_hints_affects_one_exercise():
    for exercise in ("bus", "train"):
        choose_hint(exercise, Mistake("late", ""), LADDER)
    reset_hints("bus")
    numbers = [choose_hint(each, Mistake("late", ""), LADDER)[1] for each in ("bus", "train")]
    assert numbers == [1, 2]


def forgets_step(model, batch, loss_fn, optimizer, device):
    loss = loss_fn(model(batch[0].to(device)), batch[1].to(device))
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def right(model, batch, loss_fn, optimizer, device):
    loss = loss_fn(model(batch[0].to(device)), batch[1].to(device))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def test_a_check_gives_one_hint_at_a_time():
    verdicts = [check_train_step(forgets_step) for _ in range(4)]
    assert [verdict.hint_number for verdict in verdicts] == [1, 2, 3, 3]
    assert verdicts[0].hint != verdicts[1].hint != verdicts[2].hint == verdicts[3].hint
    assert "optimizer.step()" not in verdicts[0].hint
    assert "optimizer.step()" in verdicts[2].hint


@pytest.mark.parametrize("reset", [start_over, lambda: check_train_step(right)])
def test_passing_and_starting_over_begin_with_the_first_hint_again(reset):
    check_train_step(forgets_step)
    check_train_step(forgets_step)
    reset()
    assert check_train_step(forgets_step).hint_number == 1


def parse_sources(name: str) -> list[ast.AST]:
    """Return the nodes of the modules that raise the mistakes of one file of hints."""
    own = "sandbox" if name == "common" else f"checks/{name}"
    paths = [FOLDER.parent / f"{module}.py" for module in (own, *MORE_SOURCES.get(name, ()))]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    return [node for tree in trees for node in ast.walk(tree)]


def find_named_mistakes(name: str) -> set[str]:
    """Find the strings that have the form of a mistake's name."""
    strings = {
        node.value
        for node in parse_sources(name)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {string for string in strings if re.fullmatch(r"[a-z]+(_[a-z]+)+", string)}


def find_raised_mistakes(name: str) -> set[str]:
    """Find the first arguments of `Mistake` and the keys of the tables of mistakes."""
    raised = []
    for node in parse_sources(name):
        match node:
            case ast.Call(func=ast.Name("Mistake"), args=[first, *_]):
                raised.append(first)
            case ast.Call(func=ast.Name("name_variant"), args=[_, _, otherwise]):
                raised.append(otherwise)
            case ast.Call(func=ast.Name("compare"), args=[_, _, _, _, otherwise]):
                raised.append(otherwise)
            case ast.Call(func=ast.Name("rule_out"), args=[_, ast.Dict(keys=keys)]):
                raised += keys
            case ast.Assign(targets=[ast.Name("mistakes" | "variants")], value=ast.Dict(keys=keys)):
                raised += keys
    return {node.value for node in raised if isinstance(node, ast.Constant)}


@pytest.mark.parametrize("name", NAMES)
def test_every_hint_belongs_to_a_mistake_that_is_recognized_somewhere(name):
    named = find_named_mistakes(name)
    generated = {"recall_from_the_wrong_axis", "precision_from_the_wrong_axis"}
    single = {"raises", "exits", "unsolved", "unusable", "percent", "reversed", "transposed"}
    assert set(read_hints(name)) - named <= generated | single


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_that_is_raised_has_its_hints(name):
    hints = {**read_hints("common"), **read_hints(name)}
    raised = find_raised_mistakes(name)
    assert len(raised) > 3
    assert raised <= hints.keys()


@pytest.mark.parametrize("name", NAMES)
def test_hints_are_sentences_and_the_hints_of_a_mistake_differ(name):
    for mistake, ladder in read_hints(name).items():
        assert ladder, mistake
        assert len(set(ladder)) == len(ladder), mistake
        for hint in ladder:
            assert hint.endswith((".", "?", ")", "{error}")), f"{mistake}: {hint}"
            assert hint.count("`") % 2 == 0, f"{mistake}: {hint}"


@pytest.mark.parametrize("name", NAMES)
def test_hints_contain_only_known_placeholders(name):
    known = {"found", "error", "where", "name", "part", "row", "score", "most", "least"}
    known |= {"shape", "expected", "num_found", "num_layers", "num_hidden", "num_seen"}
    for ladder in read_hints(name).values():
        for hint in ladder:
            assert {field for _, field, *_ in Formatter().parse(hint) if field} <= known


LONELY = {"unsolved", "exits", "unknown_problem", "not_a_run", "not_ended", "never_trained"}


@pytest.mark.parametrize("name", NAMES)
def test_most_mistakes_have_a_second_hint(name):
    short = {mistake for mistake, ladder in read_hints(name).items() if len(ladder) < 2}
    assert short <= LONELY
