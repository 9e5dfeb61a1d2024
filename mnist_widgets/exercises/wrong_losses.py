"""Recognize why an output and a loss function do not fit a problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from mnist_widgets.exercises.mistakes import name_variant

TensorFunction: TypeAlias = Callable[..., Tensor]

_SMALL = 1e-4


@dataclass(frozen=True)
class Choice:
    """An output and a loss function for a problem."""

    problem: str
    output: TensorFunction
    loss_fn: TensorFunction

    def compute_loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of raw scores."""
        return self.loss_fn(self.output(scores), targets)


def name_misfit(choice: Choice, scores: Tensor) -> str:
    """Name the mistake of a choice that raises an error with these scores."""
    try:
        choice.output(scores)
    except TypeError:  # for example from a loss function, which needs two arguments
        return "swapped_pair" if _accepts(choice.loss_fn, scores) else "does_not_fit"
    except Exception:
        return "does_not_fit"
    if choice.problem == "regression":
        return _name_regression_mistake(choice)
    if choice.problem == "many classes":
        return _name_elementwise_loss(choice, "does_not_fit")
    is_binary = _accepts(choice.loss_fn, torch.full((8, 1), 0.5), torch.ones(8, 1))
    return "needs_probabilities" if is_binary else "loss_of_many_classes"


def name_wrong_gradient(choice: Choice, scores: Tensor, targets: Tensor) -> str:
    """Name the mistake of a choice whose gradient of these scores is wrong."""
    with torch.no_grad():
        if choice.problem == "regression":
            return _name_regression_mistake(choice)
        answers = choice.output(scores)
        if scores.shape[1] == 1 and answers.std() < _SMALL:
            return "softmax_of_one_score"
        column_sums = (answers.sum(0), answers.exp().sum(0))
        if any(torch.allclose(sums, torch.ones(1)) for sums in column_sums):
            return "softmax_over_batch"
        loss = choice.compute_loss(scores, targets)
        if choice.problem == "two classes":
            twice = functional.binary_cross_entropy_with_logits(scores.sigmoid(), targets)
            if torch.isclose(loss, twice):
                return "sigmoid_twice"
            is_constant = torch.equal(loss, choice.compute_loss(-scores, targets))
            return "loss_of_many_classes" if is_constant else _name_elementwise_loss(choice)
        values = {
            "softmax_before_cross_entropy": functional.cross_entropy(scores.softmax(1), targets),
            "nll_of_raw_scores": functional.nll_loss(scores, targets),
            "nll_of_probabilities": functional.nll_loss(scores.softmax(1), targets),
            "activation_before_cross_entropy": functional.cross_entropy(answers, targets),
        }
        return name_variant(loss.reshape(()), values.items(), "other_choice")


def _accepts(function: TensorFunction, *arguments: Tensor) -> bool:
    try:
        function(*arguments)
    except Exception:
        return False
    return True


def _name_elementwise_loss(choice: Choice, otherwise: str = "other_choice") -> str:
    """Name the mistake of a loss that compares numbers one by one: a distance or a binary loss."""
    targets = torch.full((8, 4), 0.3)
    try:
        at_target = float(choice.loss_fn(targets, targets))
        off_target = float(choice.loss_fn(targets + 0.3, targets))
    except Exception:
        return otherwise
    if abs(at_target) < _SMALL < off_target:
        return "distance_for_classes"
    return otherwise if choice.problem == "two classes" else "binary_loss_for_many"


def _name_regression_mistake(choice: Choice) -> str:
    """Name the mistake of a choice for regression: an output of limited range, or the loss."""
    answers = choice.output(torch.linspace(-500, 500, 9).unsqueeze(1))
    if answers.max() - answers.min() < 10:
        return "output_is_limited"
    return "output_is_never_negative" if answers.min() > -10 else "classification_loss"
