"""`check_loss_choice`: right pairs of output and loss, and what is wrong with the others."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist_widgets import exercises

TWO, MANY, NUMBERS = "two classes", "many classes", "regression"
NOTHING = nn.Identity()


def check_loss_choice(problem, output, loss_fn):
    return exercises.check_loss_choice(problem, lambda: (output, loss_fn))


def log_likelihood(scores, labels):
    """Cross-entropy from its formula."""
    return -scores.log_softmax(dim=1)[range(len(labels)), labels].mean()


def binary_log_likelihood(probabilities, targets):
    right = torch.where(targets > 0.5, probabilities, 1 - probabilities)
    return -right.log().mean()


RIGHT = [
    (TWO, NOTHING, nn.BCEWithLogitsLoss()),
    (TWO, nn.Sigmoid(), nn.BCELoss()),
    (TWO, torch.sigmoid, functional.binary_cross_entropy),
    (TWO, nn.Sigmoid(), binary_log_likelihood),
    (TWO, NOTHING, nn.BCEWithLogitsLoss(reduction="sum")),
    (MANY, NOTHING, nn.CrossEntropyLoss()),
    (MANY, nn.LogSoftmax(dim=1), nn.NLLLoss()),
    (MANY, nn.LogSoftmax(dim=-1), functional.nll_loss),
    (MANY, lambda scores: scores, log_likelihood),
    (MANY, nn.Softmax(dim=1), lambda shares, labels: functional.nll_loss(shares.log(), labels)),
    (NUMBERS, NOTHING, nn.MSELoss()),
    (NUMBERS, NOTHING, nn.L1Loss()),
    (NUMBERS, NOTHING, nn.SmoothL1Loss()),
    (NUMBERS, NOTHING, nn.HuberLoss(delta=2.0)),
    (NUMBERS, lambda scores: scores, lambda found, right: ((found - right) ** 2).mean()),
]


@pytest.mark.parametrize(("problem", "output", "loss_fn"), RIGHT)
def test_choices_that_compute_the_same_all_pass(problem, output, loss_fn):
    verdict = check_loss_choice(problem, output, loss_fn)
    assert verdict.passed, verdict


def share_of_mistakes(scores, labels):
    return (scores.argmax(dim=1) != labels).float().mean()


WRONG = [
    (TWO, NOTHING, nn.BCELoss(), "needs_probabilities"),
    (TWO, nn.Tanh(), nn.BCELoss(), "needs_probabilities"),
    (TWO, nn.Sigmoid(), nn.BCEWithLogitsLoss(), "sigmoid_twice"),
    (TWO, torch.sigmoid, functional.binary_cross_entropy_with_logits, "sigmoid_twice"),
    (TWO, nn.Softmax(dim=1), nn.BCELoss(), "softmax_of_one_score"),
    (TWO, NOTHING, nn.CrossEntropyLoss(), "loss_of_many_classes"),
    (TWO, nn.Sigmoid(), nn.CrossEntropyLoss(), "loss_of_many_classes"),
    (TWO, NOTHING, nn.NLLLoss(), "loss_of_many_classes"),
    (TWO, NOTHING, nn.MSELoss(), "distance_for_classes"),
    (TWO, nn.Sigmoid(), nn.MSELoss(), "distance_for_classes"),
    (TWO, nn.Sigmoid(), nn.L1Loss(), "distance_for_classes"),
    (TWO, nn.Softmax(dim=0), nn.BCELoss(), "softmax_over_batch"),
    (TWO, nn.ReLU(), nn.BCEWithLogitsLoss(), "other_choice"),
    (MANY, nn.Softmax(dim=1), nn.CrossEntropyLoss(), "softmax_before_cross_entropy"),
    (MANY, lambda scores: scores.softmax(1), log_likelihood, "softmax_before_cross_entropy"),
    (MANY, NOTHING, nn.NLLLoss(), "nll_of_raw_scores"),
    (MANY, nn.Softmax(dim=1), nn.NLLLoss(), "nll_of_probabilities"),
    (MANY, nn.LogSoftmax(dim=0), nn.NLLLoss(), "softmax_over_batch"),
    (MANY, nn.Softmax(dim=0), nn.CrossEntropyLoss(), "softmax_over_batch"),
    (MANY, nn.Sigmoid(), nn.CrossEntropyLoss(), "activation_before_cross_entropy"),
    (MANY, nn.ReLU(), nn.CrossEntropyLoss(), "activation_before_cross_entropy"),
    (MANY, NOTHING, nn.BCEWithLogitsLoss(), "binary_loss_for_many"),
    (MANY, nn.Sigmoid(), nn.BCELoss(), "binary_loss_for_many"),
    (MANY, NOTHING, nn.MSELoss(), "distance_for_classes"),
    (MANY, nn.Softmax(dim=1), nn.L1Loss(), "distance_for_classes"),
    (MANY, NOTHING, nn.MultiMarginLoss(), "other_choice"),
    (MANY, NOTHING, share_of_mistakes, "no_gradient"),
    (MANY, nn.Softmax(dim=2), nn.CrossEntropyLoss(), "does_not_fit"),
    (MANY, NOTHING, nn.CrossEntropyLoss(reduction="none"), "no_single_number"),
    (MANY, nn.LogSoftmax, nn.NLLLoss(), "class_given"),
    (MANY, NOTHING, nn.CrossEntropyLoss, "class_given"),
    (MANY, torch.zeros(3), nn.CrossEntropyLoss(), "not_callable"),
    (MANY, None, nn.CrossEntropyLoss(), "none_for_nothing"),
    (NUMBERS, None, functional.mse_loss, "none_for_nothing"),
    (MANY, "nothing", nn.CrossEntropyLoss(), "not_callable"),
    (MANY, NOTHING, None, "unsolved"),
    (MANY, ..., ..., "unsolved"),
    (TWO, nn.BCELoss(), nn.Sigmoid(), "swapped_pair"),
    (TWO, nn.BCEWithLogitsLoss(), NOTHING, "swapped_pair"),
    (MANY, nn.CrossEntropyLoss(), NOTHING, "swapped_pair"),
    (MANY, functional.nll_loss, nn.LogSoftmax(dim=1), "swapped_pair"),
    (NUMBERS, nn.MSELoss(), nn.ReLU(), "swapped_pair"),
    (MANY, nn.CrossEntropyLoss(), nn.NLLLoss(), "does_not_fit"),
    (NUMBERS, nn.Sigmoid(), nn.MSELoss(), "output_is_limited"),
    (NUMBERS, nn.Tanh(), nn.MSELoss(), "output_is_limited"),
    (NUMBERS, nn.Softmax(dim=1), nn.MSELoss(), "output_is_limited"),
    (NUMBERS, nn.Sigmoid(), nn.BCELoss(), "output_is_limited"),
    (NUMBERS, nn.ReLU(), nn.MSELoss(), "output_is_never_negative"),
    (NUMBERS, nn.Softplus(), nn.L1Loss(), "output_is_never_negative"),
    (NUMBERS, NOTHING, nn.CrossEntropyLoss(), "classification_loss"),
    (NUMBERS, NOTHING, nn.BCEWithLogitsLoss(), "classification_loss"),
    (NUMBERS, NOTHING, nn.BCELoss(), "classification_loss"),
    (NUMBERS, NOTHING, lambda found, right: 1e-9 * (found - right).abs().mean(), "does_not_learn"),
    ("three classes", NOTHING, nn.MSELoss(), "unknown_problem"),
]


@pytest.mark.parametrize(("problem", "output", "loss_fn", "mistake"), WRONG)
def test_each_mistake_is_recognized(problem, output, loss_fn, mistake):
    verdict = check_loss_choice(problem, output, loss_fn)
    assert verdict.mistake == mistake, verdict
    assert not verdict.passed


def only_the_loss():
    return nn.MSELoss()


def three_things():
    return NOTHING, nn.MSELoss(), nn.MSELoss()


def forgets_return():
    nn.Identity(), nn.MSELoss()


def is_a_stub():
    raise NotImplementedError


@pytest.mark.parametrize(
    ("choose", "mistake"),
    [
        (only_the_loss, "not_a_pair"),
        (three_things, "not_a_pair"),
        (forgets_return, "returns_none"),
        (is_a_stub, "unsolved"),
    ],
)
def test_a_result_that_is_no_pair_is_recognized(choose, mistake):
    verdict = exercises.check_loss_choice(NUMBERS, choose)
    assert verdict.mistake == mistake, verdict
    assert "award" not in str(verdict)


def test_a_list_is_a_pair_too():
    assert exercises.check_loss_choice(MANY, lambda: [NOTHING, nn.CrossEntropyLoss()])


def test_a_swapped_pair_is_recognized():
    verdict = check_loss_choice(MANY, nn.CrossEntropyLoss(), NOTHING)
    assert "The loss comes first" in verdict.hint
    assert "could not be called" not in str(verdict)


def test_the_hint_on_an_output_without_negative_numbers_holds_for_positive_targets_too():
    verdict = check_loss_choice(NUMBERS, nn.ReLU(), nn.MSELoss())
    assert "answer is below 0" not in verdict.hint
    assert "your output never goes below 0" in verdict.hint


def test_each_problem_has_hints_of_its_own():
    first = check_loss_choice(TWO, NOTHING, nn.MSELoss())
    other = check_loss_choice(MANY, NOTHING, nn.MSELoss())
    second = check_loss_choice(TWO, NOTHING, nn.MSELoss())
    assert [verdict.hint_number for verdict in (first, other, second)] == [1, 1, 2]


def test_the_hint_on_two_softmaxes_names_the_least_loss_that_is_left():
    sure = torch.tensor([[100.0, 0, 0, 0]]).softmax(1)
    least = functional.cross_entropy(sure, torch.tensor([0])).item()
    hint = check_loss_choice(MANY, nn.Softmax(dim=1), nn.CrossEntropyLoss()).hint
    assert f"{least:.2f}" in hint


def test_the_hint_on_two_sigmoids_names_the_least_loss_that_is_left():
    sure = torch.tensor([[-100.0]]).sigmoid()
    least = functional.binary_cross_entropy_with_logits(sure, torch.zeros(1, 1)).item()
    hint = check_loss_choice(TWO, nn.Sigmoid(), nn.BCEWithLogitsLoss()).hint
    assert f"{least:.2f}" in hint
