"""Check a function that computes accuracy, recall and precision from confusion counts.

The hints are in hints/scores.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mnist_widgets.exercises.mistakes import Mistake, compare, rule_out
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import as_tensor, describe, require_result
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.training.evaluation.measures import accuracy, precision, recall

_VECTORS = {"recall": recall, "precision": precision}


def check_scores(compute: Callable[[Tensor], tuple[float, Tensor, Tensor]]) -> Verdict:
    """Check a function that computes three scores from a confusion matrix.

    Args:
        compute: called as `compute(counts)` with int64 `counts[true, predicted]` of shape (10, 10);
            returns `(accuracy, recall, precision)`: one number from 0 to 1, then the recall (10,)
            and the precision (10,) of each class. The recall of a class without images is NaN, as
            is the precision of a class without predictions: the result of dividing tensors by 0.

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(compute)
    return run_check(
        "check_scores",
        {
            "It returns three results": criteria.check_result,
            "Accuracy: the correct share of all images": criteria.check_accuracy,
            "Recall: the correct share of each true class": partial(
                criteria.check_vector, "recall"
            ),
            "Precision: the correct share of each predicted class": partial(
                criteria.check_vector, "precision"
            ),
            "It returns NaN for a division by 0": criteria.check_absent_classes,
        },
    )


class _Criteria:
    def __init__(self, compute: Callable[[Tensor], Any]) -> None:
        self._compute = compute

    def check_result(self) -> str:
        generator = torch.Generator().manual_seed(11)
        self._counts = torch.randint(0, 9, (10, 10), generator=generator)
        self._counts += torch.diag(torch.arange(30, 130, 10))
        result = self._compute(self._counts.clone())
        require_result(result, self._compute)
        if not isinstance(result, (tuple, list)) or len(result) != 3:
            raise Mistake("not_three_results", f"expected 3 results, found {describe(result)}")
        self._accuracy, *vectors = map(as_tensor, result)
        self._vectors = dict(zip(_VECTORS, vectors, strict=True))
        return "expected and found 3 results"

    def check_accuracy(self) -> str:
        counts, value = self._counts, self._accuracy
        found = f"expected one number, found {describe(value)}"
        rule_out(found, {"accuracy_for_each_class": value.numel() != 1})
        if value.dim():  # printing it would show brackets
            raise Mistake("accuracy_in_brackets", f"found {value.tolist()}")
        expected = torch.tensor(accuracy(counts))
        found = f"expected {expected:.4f}, found {value:.4f}"
        num_right = counts.trace()
        variants = {
            "mean_of_recalls": recall(counts).mean(),
            "mean_of_precisions": precision(counts).mean(),
            "error_rate": 1 - expected,
            "percent": 100 * expected,
            "whole_numbers": torch.tensor(0),
            "not_divided": num_right,
            "divided_by_classes": num_right / len(counts),
            "cells_instead_of_images": num_right / counts.numel(),
        }
        return compare(found, value, expected, variants.items(), "other_accuracy")

    def check_absent_classes(self) -> str:
        counts = self._counts.clone()
        counts[4] = 0  # no image of a 4
        counts[:, 7] = 0  # no image predicted as 7
        try:
            value, recalls, precisions = map(as_tensor, self._compute(counts.clone()))
        except ZeroDivisionError as error:
            found = "no image is a 4, none is predicted as 7: expected NaN, found an error"
            raise Mistake("divides_by_zero", found) from error
        pairs = {
            "accuracy": (value, torch.tensor(accuracy(counts))),
            "recall": (recalls, recall(counts)),
            "precision": (precisions, precision(counts)),
        }
        for name, (values, expected) in pairs.items():
            words = f"no image is a 4, none is predicted as 7; {name}: expected {_list(expected)}"
            if values.shape != expected.shape:
                raise Mistake("wrong_with_absent_class", f"{words}, found {describe(values)}")
            are_close = torch.isclose(values.double(), expected.double(), atol=1e-4, equal_nan=True)
            mistakes = {
                "no_nan": not are_close[expected.isnan()].all(),
                "wrong_with_absent_class": not are_close.all(),
            }
            rule_out(f"{words}, found {_list(values)}", mistakes, score=name)
        return "the recall of 4 and the precision of 7 are nan, the other scores are numbers"

    def check_vector(self, name: str) -> str:
        """Compare the recall or the precision of each class."""
        values, expected = self._vectors[name], _VECTORS[name](self._counts)
        [other] = _VECTORS.keys() - {name}
        shape = tuple(values.shape)
        mistakes = {"one_number_for_all": values.numel() == 1, "wrong_shape": shape != (10,)}
        rule_out(f"expected 10 numbers, found shape {shape}", mistakes, score=name)
        found = f"expected {expected[0]:.4f} for class 0, found {float(values[0]):.4f}"
        variants = {
            f"{name}_from_the_wrong_axis": _VECTORS[other](self._counts),
            "shares_of_all": self._counts.diag() / self._counts.sum(),
            "percent": 100 * expected,
            "whole_numbers": torch.zeros(10),
            "not_divided": self._counts.diag(),
        }
        return compare(found, values, expected, variants.items(), "other_score", score=name)


def _list(values: Tensor) -> str:
    return ", ".join(f"{value:.3g}" for value in values.flatten().tolist())
