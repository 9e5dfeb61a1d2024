"""Check a function that finds the most confident mistakes of a network.

The hints are in hints/confident_mistakes.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mnist_widgets.exercises.mistakes import Mistake, name_variant, rule_out
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import as_tensor, describe, require_result
from mnist_widgets.exercises.verdict import Verdict

_NUM_IMAGES, _NUM_MISTAKES, _FEW_MISTAKES = 40, 12, 4


def check_confident_mistakes(find: Callable[..., Tensor]) -> Verdict:
    """Check a function that finds a network's most confident mistakes.

    A mistake is an image whose most probable class is not its label; its confidence is the
    probability of that class.

    Args:
        find: called as `find(probabilities, labels, count)` with probabilities (N, 10) and labels
            int64 (N,); `count` is 5 by default. Returns the positions, from 0 to N - 1, of the
            `count` most confident mistakes, the most confident first; of all mistakes if there
            are fewer.

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(find)
    return run_check(
        "check_confident_mistakes",
        {
            "It returns five positions": criteria.check_positions,
            "They are the most confident mistakes, in order": criteria.check_choice,
            "It returns `count` positions": criteria.check_count,
            "It returns all mistakes if there are fewer": criteria.check_few,
        },
    )


class _Criteria:
    def __init__(self, find: Callable[..., Any]) -> None:
        self._find = find

    def check_positions(self) -> str:
        self._probabilities, self._labels = _make_predictions(_NUM_MISTAKES)
        result = self._call()
        require_result(result, self._find)
        self._found = as_tensor(result)
        found = f"expected 5 positions, found {describe(result)}"
        is_float, shape = self._found.is_floating_point(), tuple(self._found.shape)
        mistakes = {
            "returns_mask": self._found.dtype == torch.bool,
            "returns_rows": len(shape) == 2 and shape[1] == 10,
            "no_whole_numbers": is_float and torch.equal(self._found, self._found.round()),
            "returns_probabilities": is_float,
            "returns_all": shape == (_NUM_MISTAKES,),
            "wrong_shape": shape != (5,),
        }
        rule_out(found, mistakes)
        return "expected and found 5 positions"

    def check_choice(self) -> str:
        confidences, predicted = self._probabilities.max(1)
        is_mistake = predicted != self._labels
        mistakes = is_mistake.nonzero().flatten()
        of_truth = self._probabilities.gather(1, self._labels.unsqueeze(1)).squeeze(1)
        order = confidences[mistakes].argsort(descending=True)
        expected = mistakes[order[:5]]
        found = f"expected {expected.tolist()}, found {self._found.tolist()}"
        if torch.equal(self._found, expected):
            return found
        variants = {
            "least_confident_first": mistakes[order.flip(0)[:5]],
            "reversed": expected.flip(0),
            "positions_among_mistakes": order[:5],
            "first_mistakes": mistakes[:5],
            "by_true_class": mistakes[of_truth[mistakes].argsort()[:5]],
            "surest_right_answers": (confidences * ~is_mistake).argsort(descending=True)[:5],
            "right_answers_too": confidences.argsort(descending=True)[:5],
            "returns_classes": predicted[expected],
        }
        if name := name_variant(self._found, variants.items()):
            raise Mistake(name, found)
        positions = set(self._found.tolist())
        if positions == set(expected.tolist()):
            raise Mistake("not_sorted", found)
        are_mistakes = positions <= set(mistakes.tolist())
        raise Mistake("other_mistakes" if are_mistakes else "right_answers_too", found)

    def check_count(self) -> str:
        positions = as_tensor(self._call(3))
        found = f"find(probabilities, labels, 3): expected 3 positions, found {len(positions)}"
        return rule_out(found, {"ignores_count": positions.tolist() != self._found[:3].tolist()})

    def check_few(self) -> str:
        probabilities, labels = _make_predictions(_FEW_MISTAKES)
        confidences, predicted = probabilities.max(1)
        mistakes = (predicted != labels).nonzero().flatten()
        expected = mistakes[confidences[mistakes].argsort(descending=True)]
        words = f"{_FEW_MISTAKES} mistakes, count 5: expected {expected.tolist()}, found"
        try:
            positions = as_tensor(self._find(probabilities.clone(), labels.clone())).flatten()
        except (RuntimeError, IndexError, ValueError) as error:
            raise Mistake("fails_with_few", f"{words} an error") from error
        wrong = {
            "fills_up": len(positions) > _FEW_MISTAKES,
            "wrong_with_few": positions.tolist() != expected.tolist(),
        }
        return rule_out(f"{words} {positions.tolist()}", wrong)

    def _call(self, *count: int) -> Any:  # noqa: ANN401 - any result
        return self._find(self._probabilities.clone(), self._labels.clone(), *count)


def _make_predictions(num_mistakes: int) -> tuple[Tensor, Tensor]:
    """Return probabilities (40, 10) and labels (40,) with `num_mistakes` mistakes."""
    generator = torch.Generator().manual_seed(5)
    scores = torch.randn(_NUM_IMAGES, 10, generator=generator) * 2
    probabilities = scores.softmax(1)
    labels = probabilities.argmax(1)
    is_mistake = torch.randperm(_NUM_IMAGES, generator=generator)[:num_mistakes]
    rank = torch.arange(num_mistakes) % 3 + 1  # the label is the second to fourth choice
    choices = probabilities.argsort(1, descending=True)
    labels[is_mistake] = choices[is_mistake, rank]
    return probabilities, labels
