"""Check a function that fills a confusion matrix.

The hints are in hints/confusion_matrix.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mnist_widgets.exercises.mistakes import Mistake, compare, rule_out
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import as_tensor, describe, require_result, require_tensor
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.training.evaluation.measures import confusion_matrix

_MANY_IMAGES = 300


def check_confusion_matrix(count: Callable[[Tensor, Tensor, int], Tensor]) -> Verdict:
    """Check a function that counts how often each true class was predicted as each class.

    Args:
        count: called as `count(true_labels, predicted_labels, num_classes)` with two int64 tensors
            (N,) of labels from 0 to `num_classes` - 1; returns `counts[true, predicted]`, an
            integer tensor of shape (`num_classes`, `num_classes`).

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(count)
    return run_check(
        "check_confusion_matrix",
        {
            "It has a row and a column for each class": criteria.check_shape,
            "It counts each image once, by true and predicted class": criteria.check_counts,
            "It starts at 0 in each call": criteria.check_second_call,
            "Classes without images have a row and a column, too": criteria.check_absent_classes,
            "It returns an integer tensor": criteria.check_kind,
            "It counts many images, too": criteria.check_many,
        },
    )


class _Criteria:
    def __init__(self, count: Callable[[Tensor, Tensor, int], Any]) -> None:
        self._count = count

    def check_shape(self) -> str:
        self._labels = _make_labels(200, 10)
        result = self._call()
        require_result(result, self._count)
        self._counts = as_tensor(result)
        shape = tuple(self._counts.shape)
        found = f"expected shape (10, 10), found {shape}"
        mistakes = {"one_count_a_class": shape == (10,), "wrong_shape": shape != (10, 10)}
        return rule_out(found, mistakes)

    def check_counts(self) -> str:
        expected = confusion_matrix(*self._labels)
        counts = self._counts
        found = (
            f"expected {expected.sum()} images and {expected[3, 5]} threes predicted as fives, "
            f"found {counts.sum():.4g} and {counts[3, 5]:.4g}"
        )
        variants = {
            "transposed": expected.T,
            "right_answers_only": expected.diag().diag(),
            "true_label_twice": expected.sum(1).diag(),
            "predicted_label_twice": expected.sum(0).diag(),
            "mistakes_only": expected - expected.diag().diag(),
            "marks_instead_of_counts": expected.clamp(max=1),
            "begins_with_ones": expected + 1,
            "one_row_many_times": expected.sum(0).repeat(10, 1),
            "shares_of_all": expected / expected.sum(),
            "shares_of_true": expected / expected.sum(1, keepdim=True),
            "shares_of_predicted": expected / expected.sum(0, keepdim=True),
        }
        return compare(found, counts, expected, variants.items(), "other_counts")

    def check_second_call(self) -> str:
        again = as_tensor(self._call()).sum()
        found = f"a second call: expected {len(self._labels[0])} images, found {again:.4g}"
        return rule_out(found, {"goes_on_counting": again != len(self._labels[0])})

    def check_absent_classes(self) -> str:
        true_labels, predicted_labels = _make_labels(30, 4)
        try:
            counts = as_tensor(self._count(true_labels, predicted_labels, 6))
        except (RuntimeError, IndexError, ValueError) as error:
            found = "labels from 0 to 3, and 6 classes: expected shape (6, 6), found an error"
            raise Mistake("size_from_labels", found) from error
        shape = tuple(counts.shape)
        found = f"labels from 0 to 3, and 6 classes: expected shape (6, 6), found {shape}"
        rule_out(
            found, {"always_ten_classes": shape == (10, 10), "size_from_labels": shape != (6, 6)}
        )
        expected = confusion_matrix(true_labels, predicted_labels, 6)
        if not torch.equal(counts.double(), expected.double()):
            raise Mistake("other_counts", f"{found}, with other counts")
        return found

    def check_kind(self) -> str:
        result = self._call()
        found = f"expected an integer tensor, found {describe(result)}"
        require_tensor(result)
        return rule_out(found, {"no_whole_numbers": result.is_floating_point()})

    def check_many(self) -> str:
        """Count more images than fit in 8 bits."""
        labels = torch.ones(_MANY_IMAGES, dtype=torch.int64)
        num_ones = int(as_tensor(self._count(labels, labels.clone(), 2))[1, 1])
        found = f"{_MANY_IMAGES} ones: expected a count of {_MANY_IMAGES}, found {num_ones}"
        return rule_out(found, {"counts_overflow": num_ones != _MANY_IMAGES})

    def _call(self) -> Any:  # noqa: ANN401 - any result
        true_labels, predicted_labels = self._labels
        return self._count(true_labels.clone(), predicted_labels.clone(), 10)


def _make_labels(num_images: int, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return true and predicted labels, mostly equal; 3 is often predicted as 5."""
    generator = torch.Generator().manual_seed(7)
    true_labels = torch.arange(num_images) % num_classes
    predicted_labels = true_labels.clone()
    wrong = torch.randperm(num_images, generator=generator)[: num_images // 4]
    predicted_labels[wrong] = torch.randint(0, num_classes, (len(wrong),), generator=generator)
    if num_classes > 5:
        predicted_labels[3 : 8 * num_classes : num_classes] = 5
    return true_labels, predicted_labels
