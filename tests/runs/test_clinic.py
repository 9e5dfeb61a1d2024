"""The clinic: each training shows its own evidence and no other, and keeps its fault to itself."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
import torch
from clinic_numbers import IS_TRUE, Observed

from mnist_widgets import DigitSet, HealthMonitor, RunConfig, load_bundled_digits
from mnist_widgets.runs.clinic import choices
from mnist_widgets.runs.clinic.cases import CASES, EPOCHS, HEALTHY
from mnist_widgets.runs.clinic.choices import EVIDENCE, FAULTS, PLACES, find_choice
from mnist_widgets.runs.clinic.diagnosis import check_diagnosis
from mnist_widgets.training.health.data_signs import INPUT_SIGNS, LABEL_SIGN
from mnist_widgets.training.health.loss_signs import LOSS_SIGNS, NOT_FINITE, OVERFITTING
from mnist_widgets.training.health.step_signs import STEP_SIGNS
from mnist_widgets.training.health.unit_signs import DEAD_UNITS

TRAIN_SET, TEST_SET = load_bundled_digits()
OWN_FAULTS = {choices.MISSING_CLASS, choices.IN_ORDER, choices.SHIFTED}
"""Faults that no health monitor reports."""


def observe(trainer, epochs=EPOCHS) -> Observed:
    return Observed.after(trainer, epochs)


@pytest.mark.parametrize("number", CASES)
def test_each_training_shows_the_evidence_that_it_names_and_no_other(number):
    seen = observe(CASES[number].recipe.build(device="cpu"))
    assert seen.find_evidence() == [CASES[number].evidence], seen.to_text()


def test_a_healthy_training_shows_no_evidence():
    seen = observe(HEALTHY.build(device="cpu"))
    assert seen.find_evidence() == []
    assert seen.accuracy[-1] > 0.94


def train_on(images, labels, *, shuffle) -> Observed:
    data = DigitSet(images, labels, TRAIN_SET.class_names, "changed digits")
    trainer = RunConfig("sgd", 0.1, batch_size=16, hidden_units=32).build(
        data, TEST_SET, device="cpu"
    )
    trainer.train_batches.shuffle = shuffle
    return observe(trainer, 10)


def test_the_evidence_that_is_in_no_training_could_be_true():
    shifted = train_on(TRAIN_SET.images, (TRAIN_SET.labels + 1) % 10, shuffle=True)
    assert choices.BESIDE in shifted.find_evidence()
    order = TRAIN_SET.labels.argsort(stable=True)
    in_order = train_on(TRAIN_SET.images[order], TRAIN_SET.labels[order], shuffle=False)
    assert choices.SAWTOOTH in in_order.find_evidence()


def test_twelve_faults_and_twelve_pieces_of_evidence_are_used_once_and_some_are_left():
    assert list(CASES) == list(range(1, 13))
    for offered, used in (
        (FAULTS, [case.fault for case in CASES.values()]),
        (EVIDENCE, [case.evidence for case in CASES.values()]),
    ):
        assert set(Counter(used).values()) == {1}
        assert set(used) < set(offered)
        assert list(offered) == sorted(set(offered))
    assert set(IS_TRUE) == set(PLACES) == set(EVIDENCE)


def test_faults_have_the_names_of_the_findings_of_a_health_monitor():
    signs = [
        *INPUT_SIGNS,
        LABEL_SIGN,
        *LOSS_SIGNS,
        NOT_FINITE,
        OVERFITTING,
        *STEP_SIGNS,
        DEAD_UNITS,
    ]
    assert set(FAULTS) - {sign.name for sign in signs} == OWN_FAULTS


@pytest.mark.parametrize("number", CASES)
def test_a_training_repeats_itself_also_after_a_reset(number):
    first, second = (CASES[number].recipe.build(device="cpu") for _ in range(2))
    begin = first.snapshot()
    losses = list(first.fit(1).batch_losses)
    torch.rand(3)
    assert second.fit(1).batch_losses == losses
    first.restore(begin)
    assert first.fit(1).batch_losses == losses


@pytest.mark.parametrize("number", CASES)
def test_a_health_monitor_names_the_fault_of_each_training_that_it_knows(number):
    trainer, monitor = CASES[number].recipe.build(device="cpu"), HealthMonitor()
    trainer.callbacks.append(monitor)
    trainer.fit(EPOCHS)
    names = [finding.name for finding in monitor.findings]
    assert (CASES[number].fault in names) == (CASES[number].fault not in OWN_FAULTS), names
    assert monitor.errors == {}


def test_building_leaves_the_random_numbers_of_torch_alone():
    state = torch.get_rng_state()
    for case in CASES.values():
        case.recipe.build(device="cpu")
    assert torch.equal(torch.get_rng_state(), state)


def describe_parts(recipe) -> str:
    """Return what printing the parts of a trainer shows, without numbers."""
    trainer = recipe.build(device="cpu")
    parts = [trainer.model, trainer.loss_fn, trainer.train_step.__name__, trainer.config]
    parts += [*map(type, trainer.callbacks), type(trainer.optimizer), trainer.warnings]
    return " ".join(map(str, parts))


def test_the_parts_of_a_sick_training_look_like_those_of_a_healthy_one():
    healthy = describe_parts(HEALTHY)
    for number, case in CASES.items():
        shown = describe_parts(case.recipe)
        shown = shown.replace("features=64", "features=32").replace("SGD", "Adam")
        shown = shown.replace("torch.optim.sgd", "torch.optim.adam")
        assert shown == healthy, number


def test_a_diagnosis_is_right_only_with_both():
    right = partial(check_diagnosis, 9)
    assert right(choices.DEAD_UNITS, choices.SAME_ANSWER).is_right
    words = set()
    for fault in (choices.DEAD_UNITS, choices.NO_BACKWARD):
        for evidence in (choices.SAME_ANSWER, choices.NO_CHANGE):
            checked = right(fault, evidence)
            assert checked.is_fault_right == (fault == choices.DEAD_UNITS)
            assert checked.is_evidence_right == (evidence == choices.SAME_ANSWER)
            assert checked.is_right == (checked.words == CASES[9].explanation)
            words.add(checked.words)
    assert len(words) == 4


def test_choices_are_found_with_capital_letters_spaces_and_a_period():
    assert find_choice(" Dead  units. ", FAULTS) == choices.DEAD_UNITS
    for other in ("dead", "", None, 3):
        assert find_choice(other, FAULTS) is None
