"""`check_scores`: what students write, and the verdicts."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets.exercises import check_scores
from mnist_widgets.training.evaluation.measures import accuracy, precision, recall


def right(counts):
    correct = counts.diagonal()
    accuracy = (correct.sum() / counts.sum()).item()
    return accuracy, correct / counts.sum(dim=1), correct / counts.sum(dim=0)


def right_with_the_kit(counts):
    return accuracy(counts), recall(counts), precision(counts)


def right_with_numpy(counts):
    counts = counts.numpy().astype(float)
    correct = counts.diagonal()
    return [correct.sum() / counts.sum(), correct / counts.sum(1), correct / counts.sum(0)]


def right_in_a_loop(counts):
    recalls, precisions = torch.zeros(10), torch.zeros(10)
    for digit in range(10):
        recalls[digit] = counts[digit, digit] / counts[digit].sum()
        precisions[digit] = counts[digit, digit] / counts[:, digit].sum()
    return torch.trace(counts) / torch.sum(counts), recalls, precisions


@pytest.mark.parametrize("compute", [right, right_with_the_kit, right_with_numpy, right_in_a_loop])
def test_right_answers_pass_however_they_are_written(compute):
    verdict = check_scores(compute)
    assert verdict.passed, verdict


def other_accuracy(compute):
    """Return a function that computes the accuracy in another way."""
    return lambda counts: (compute(counts), recall(counts), precision(counts))


def other_recall(compute):
    return lambda counts: (accuracy(counts), compute(counts), precision(counts))


def other_precision(compute):
    return lambda counts: (accuracy(counts), recall(counts), compute(counts))


def swaps_both(counts):
    return accuracy(counts), precision(counts), recall(counts)


def divides_whole_numbers(counts):
    correct = counts.diagonal()
    return correct.sum() // counts.sum(), correct // counts.sum(1), correct // counts.sum(0)


def replaces_nan(counts):
    return accuracy(counts), recall(counts).nan_to_num(0), precision(counts).nan_to_num(0)


def gives_up_without_images(counts):
    recalls, precisions = recall(counts), precision(counts)
    if recalls.isnan().any():
        recalls = precisions = torch.full((10,), float("nan"))
    return accuracy(counts), recalls, precisions


def leaves_absent_classes_out(counts):
    recalls = recall(counts)
    return accuracy(counts), recalls[~recalls.isnan()], precision(counts)


def gives_up_the_accuracy(counts):
    recalls = recall(counts)
    value = float("nan") if recalls.isnan().any() else accuracy(counts)
    return value, recalls, precision(counts)


def divides_numbers(counts):
    table = counts.tolist()
    recalls = [table[n][n] / sum(table[n]) for n in range(10)]
    precisions = [table[n][n] / sum(row[n] for row in table) for n in range(10)]
    return accuracy(counts), recalls, precisions


def forgets_the_precision(counts):
    return accuracy(counts), recall(counts)


def returns_a_dict(counts):
    return {"accuracy": accuracy(counts)}


def forgets_return(counts):
    right(counts)


def is_a_stub(counts):
    accuracy, recall, precision = ...
    return accuracy, recall, precision


WRONG = [
    (other_accuracy(recall), "accuracy_for_each_class"),
    (other_accuracy(lambda counts: [accuracy(counts)]), "accuracy_in_brackets"),
    (other_accuracy(lambda counts: torch.tensor([accuracy(counts)])), "accuracy_in_brackets"),
    (other_accuracy(lambda counts: recall(counts).mean()), "mean_of_recalls"),
    (other_accuracy(lambda counts: precision(counts).mean()), "mean_of_precisions"),
    (other_accuracy(lambda counts: 1 - accuracy(counts)), "error_rate"),
    (other_accuracy(lambda counts: 100 * accuracy(counts)), "percent"),
    (other_accuracy(lambda counts: counts.trace()), "not_divided"),
    (other_accuracy(lambda counts: counts.trace() / len(counts)), "divided_by_classes"),
    (other_accuracy(lambda counts: counts.trace() / 100), "cells_instead_of_images"),
    (other_accuracy(lambda counts: counts[0, 0] / counts.sum()), "other_accuracy"),
    (divides_whole_numbers, "whole_numbers"),
    (swaps_both, "recall_from_the_wrong_axis"),
    (other_recall(precision), "recall_from_the_wrong_axis"),
    (other_precision(recall), "precision_from_the_wrong_axis"),
    (other_recall(lambda counts: counts.diagonal() / counts.sum()), "shares_of_all"),
    (other_recall(lambda counts: recall(counts).mean()), "one_number_for_all"),
    (other_precision(lambda counts: counts / counts.sum(dim=0)), "wrong_shape"),
    (other_precision(lambda counts: 100 * precision(counts)), "percent"),
    (other_precision(lambda counts: counts.diagonal()), "not_divided"),
    (other_precision(lambda counts: 1 - precision(counts)), "other_score"),
    (replaces_nan, "no_nan"),
    (gives_up_without_images, "wrong_with_absent_class"),
    (leaves_absent_classes_out, "wrong_with_absent_class"),
    (gives_up_the_accuracy, "wrong_with_absent_class"),
    (divides_numbers, "divides_by_zero"),
    (forgets_the_precision, "not_three_results"),
    (returns_a_dict, "not_three_results"),
    (forgets_return, "returns_none"),
    (is_a_stub, "unsolved"),
]


@pytest.mark.parametrize(("compute", "mistake"), WRONG)
def test_each_mistake_is_recognized(compute, mistake):
    verdict = check_scores(compute)
    assert verdict.mistake == mistake, verdict
    assert not verdict.passed
