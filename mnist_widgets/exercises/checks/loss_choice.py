"""Check whether an output activation and a loss function fit a problem.

The hints are in hints/loss_choice.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.exercises.mistakes import Mistake, rule_out
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe, describe_error, require_result
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.exercises.wrong_losses import (
    Choice,
    TensorFunction,
    name_misfit,
    name_wrong_gradient,
)

Problem: TypeAlias = Literal["two classes", "many classes", "regression"]

_NUM_CLASSES = 4
_NUM_STEPS = 200
_SMALL = 1e-4


def check_loss_choice(problem: Problem, choose: Callable[[], Any]) -> Verdict:
    """Check the output activation and the loss function that a function chooses for a problem.

    The check uses the gradient of the raw scores, so all pairs that compute the same pass, whether
    modules, functions or lambdas.

    | problem        | raw scores  | targets                                        |
    |----------------|-------------|------------------------------------------------|
    | `two classes`  | float (N, 1) | float (N, 1), 0.0 or 1.0                      |
    | `many classes` | float (N, C) | int64 (N,), from 0 to C - 1                   |
    | `regression`   | float (N, 1) | float (N, 1), any number                      |

    Args:
        problem: one of the three.
        choose: called without arguments, returns a pair `(output, loss_fn)`. `output` follows the
            last linear layer (`nn.Identity()` for nothing); `loss_fn` is called as
            `loss_fn(output(scores), targets)` and returns one number.

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(problem, choose)
    return run_check(
        f"check_loss_choice, {problem}",
        {
            "It returns an output and a loss": criteria.check_pair,
            "Output and loss fit together": criteria.check_fit,
            "The gradient changes each score in the right direction": criteria.check_gradients,
            "A small network learns with them": criteria.check_training,
        },
    )


class _Criteria:
    def __init__(self, problem: str, choose: Callable[[], Any]) -> None:
        self._problem = problem
        self._choose = choose

    def check_pair(self) -> str:
        problems = ", ".join(map(repr, _SUITABLE_LOSSES))
        found = f"expected one of {problems}, not {self._problem!r}"
        rule_out(found, {"unknown_problem": self._problem not in _SUITABLE_LOSSES})
        pair = self._choose()
        require_result(pair, self._choose)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise Mistake("not_a_pair", f"expected a pair, found {describe(pair)}")
        if pair[0] is None and callable(pair[1]):
            raise Mistake("none_for_nothing", "The first of the pair is `None`")
        for name, part in zip(("output", "loss"), pair, strict=True):
            if part is None or part is Ellipsis:
                raise Mistake("unsolved", f"The {name} is not chosen yet")
            if isinstance(part, type):
                raise Mistake("class_given", f"The {name} is {describe(part)}", part=part.__name__)
            rule_out(f"The {name} is {describe(part)}", {"not_callable": not callable(part)})
        self._choice = Choice(self._problem, *pair)
        return "expected and found a pair"

    def check_fit(self) -> str:
        scores, targets = _make_examples(self._problem, 0)
        try:
            loss: Any = self._choice.compute_loss(scores, targets)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            found = describe_error(error)
            raise Mistake(name_misfit(self._choice, scores), found, error=found) from error
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            raise Mistake("no_single_number", f"expected one number, found {describe(loss)}")
        if not loss.requires_grad:
            raise Mistake("no_gradient", "expected a loss with a gradient, found one without")
        return f"the loss of {len(scores)} random scores is {loss.item():.3f}"

    def check_gradients(self) -> str:
        for seed in range(3):
            scores, targets = _make_examples(self._problem, seed)
            gradient = _differentiate(self._choice.compute_loss, scores, targets)
            expected = _differentiate(_SUITABLE_LOSSES[self._problem], scores, targets)
            if self._problem == "regression":  # any distance is fine: only the sign must be right
                differences = (gradient.sign() != expected.sign()).float()
            else:  # a sum is as good as a mean
                factor = gradient.norm() / expected.norm()
                differences = (gradient - (factor or 1.0) * expected).abs()
            row, column = divmod(int(differences.argmax()), scores.shape[1])
            score = f"a score of {scores[row, column]:.2f}"
            if self._problem == "many classes":
                score += f" for class {column}"
            found = (
                f"{score} where the target is {targets[row].item():.4g}: expected "
                f"{_name_push(expected[row, column])}, found {_name_push(gradient[row, column])}"
            )
            if differences.max() > _SMALL:
                raise Mistake(name_wrong_gradient(self._choice, scores, targets), found)
        return found

    def check_training(self) -> str:
        generator = torch.Generator().manual_seed(3)
        inputs = torch.randn(120, 2, generator=generator)
        sums = inputs.sum(1, keepdim=True)
        quarters = (inputs[:, 0] > 0) * 2 + (inputs[:, 1] > 0)
        targets = {
            "two classes": (sums > 0).float(),
            "many classes": quarters.long(),
            "regression": 2 * sums - 3,
        }[self._problem]
        last = nn.Linear(2, _NUM_CLASSES if self._problem == "many classes" else 1)
        optimizer = torch.optim.Adam(last.parameters(), lr=0.1)
        for _ in range(_NUM_STEPS):
            optimizer.zero_grad()
            self._choice.compute_loss(last(inputs), targets).backward()
            optimizer.step()
        scores = last(inputs).detach()
        if self._problem == "regression":
            are_correct = (scores - targets).abs() < 0.5
        elif self._problem == "two classes":
            are_correct = (scores > 0) == (targets > 0)
        else:
            are_correct = scores.argmax(1) == targets
        share = are_correct.float().mean().item()
        found = f"expected over 90 % correct after {_NUM_STEPS} steps, found {share:.0%}"
        return rule_out(found, {"does_not_learn": share <= 0.9})


_SUITABLE_LOSSES: dict[str, TensorFunction] = {
    "two classes": functional.binary_cross_entropy_with_logits,
    "many classes": functional.cross_entropy,
    "regression": functional.mse_loss,
}


def _make_examples(problem: str, seed: int) -> tuple[Tensor, Tensor]:
    """Return example scores and targets."""
    generator = torch.Generator().manual_seed(seed)
    num_scores = _NUM_CLASSES if problem == "many classes" else 1
    scores = torch.randn(8, num_scores, generator=generator) * (seed + 1)
    targets = {
        "two classes": torch.tensor([0.0, 1] * 4).unsqueeze(1),
        "many classes": torch.arange(8) % _NUM_CLASSES,
        "regression": torch.linspace(-20, 20, 8).unsqueeze(1) * (seed + 1),
    }[problem]
    if problem == "regression":
        scores += targets
    return scores.requires_grad_(), targets


def _differentiate(loss_fn: TensorFunction, scores: Tensor, targets: Tensor) -> Tensor:
    scores.grad = None
    loss_fn(scores, targets).backward()
    gradient: Tensor | None = scores.grad
    return torch.zeros_like(scores) if gradient is None else gradient


def _name_push(gradient: Tensor) -> str:
    pull = gradient.item()
    return "no push" if pull == 0 else f"a push {'down' if pull > 0 else 'up'} of {abs(pull):.3g}"
