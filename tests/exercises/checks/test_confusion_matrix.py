"""`check_confusion_matrix`: what students write, and the verdicts."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets import confusion_matrix
from mnist_widgets.exercises import check_confusion_matrix


def right(true_labels, predicted_labels, num_classes):
    counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
        counts[true_label, predicted_label] += 1
    return counts


def right_with_lists(true_labels, predicted_labels, num_classes):
    return torch.tensor(counts_in_lists(true_labels, predicted_labels, num_classes))


def right_in_short_numbers(true_labels, predicted_labels, num_classes):
    return right(true_labels, predicted_labels, num_classes).to(torch.int32)


def right_at_once(true_labels, predicted_labels, num_classes):
    pairs = true_labels * num_classes + predicted_labels
    counts = torch.bincount(pairs, minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes)


@pytest.mark.parametrize(
    "count", [confusion_matrix, right, right_with_lists, right_at_once, right_in_short_numbers]
)
def test_right_answers_pass_however_they_are_written(count):
    verdict = check_confusion_matrix(count)
    assert verdict.passed, verdict


def counts_in_lists(true_labels, predicted_labels, num_classes):
    counts = [[0] * num_classes for _ in range(num_classes)]
    for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
        counts[true_label][predicted_label] += 1
    return counts


def counts_in_an_array(true_labels, predicted_labels, num_classes):
    return right(true_labels, predicted_labels, num_classes).numpy()


def counts_in_real_numbers(true_labels, predicted_labels, num_classes):
    return right(true_labels, predicted_labels, num_classes).float()


def transposes(true_labels, predicted_labels, num_classes):
    counts = torch.zeros(num_classes, num_classes)
    for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
        counts[predicted_label, true_label] += 1
    return counts


def counts_each_pair_once(true_labels, predicted_labels, num_classes):
    counts = torch.zeros(num_classes, num_classes)
    counts[true_labels, predicted_labels] += 1
    return counts


def sets_instead_of_adding(true_labels, predicted_labels, num_classes):
    counts = torch.zeros(num_classes, num_classes)
    for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
        counts[true_label, predicted_label] = 1
    return counts


def counts_right_answers(true_labels, predicted_labels, num_classes):
    counts = torch.zeros(num_classes, num_classes)
    for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
        if true_label == predicted_label:
            counts[true_label, predicted_label] += 1
    return counts


def counts_mistakes(true_labels, predicted_labels, num_classes):
    counts = torch.zeros(num_classes, num_classes)
    for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
        if true_label != predicted_label:
            counts[true_label, predicted_label] += 1
    return counts


def uses_the_true_label_twice(true_labels, predicted_labels, num_classes):
    counts = torch.zeros(num_classes, num_classes)
    for true_label in true_labels:
        counts[true_label, true_label] += 1
    return counts


def uses_the_predicted_label_twice(true_labels, predicted_labels, num_classes):
    return right(predicted_labels, predicted_labels, num_classes)


def begins_with_ones(true_labels, predicted_labels, num_classes):
    return right(true_labels, predicted_labels, num_classes) + 1


def names_one_row_many_times(true_labels, predicted_labels, num_classes):
    counts = [[0] * num_classes] * num_classes
    for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
        counts[true_label][predicted_label] += 1
    return counts


def divides_by_all(true_labels, predicted_labels, num_classes):
    return right(true_labels, predicted_labels, num_classes) / len(true_labels)


def divides_by_the_rows(true_labels, predicted_labels, num_classes):
    counts = right(true_labels, predicted_labels, num_classes)
    return counts / counts.sum(dim=1, keepdim=True)


def divides_by_the_columns(true_labels, predicted_labels, num_classes):
    counts = right(true_labels, predicted_labels, num_classes)
    return counts / counts.sum(dim=0, keepdim=True)


kept_counts = torch.zeros(10, 10)


def goes_on_counting(true_labels, predicted_labels, num_classes):
    for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
        kept_counts[true_label, predicted_label] += 1
    return kept_counts.clone()


def always_has_ten_classes(true_labels, predicted_labels, num_classes):
    return right(true_labels, predicted_labels, 10)


def uses_the_highest_label(true_labels, predicted_labels, num_classes):
    return right(true_labels, predicted_labels, int(true_labels.max()) + 1)


def forgets_minlength(true_labels, predicted_labels, num_classes):
    pairs = true_labels * num_classes + predicted_labels
    return torch.bincount(pairs).reshape(num_classes, num_classes)


def counts_one_label(true_labels, predicted_labels, num_classes):
    return torch.bincount(true_labels[true_labels == predicted_labels], minlength=num_classes)


def gives_a_long_row(true_labels, predicted_labels, num_classes):
    return right(true_labels, predicted_labels, num_classes).flatten()


def leaves_out_the_last(true_labels, predicted_labels, num_classes):
    return right(true_labels[:-1], predicted_labels[:-1], num_classes)


def counts_in_bytes(dtype, result=torch.int64):
    def count(true_labels, predicted_labels, num_classes):
        counts = torch.zeros(num_classes, num_classes, dtype=dtype)
        for true_label, predicted_label in zip(true_labels, predicted_labels, strict=True):
            counts[true_label, predicted_label] += 1
        return counts.to(result)

    return count


def forgets_return(true_labels, predicted_labels, num_classes):
    right(true_labels, predicted_labels, num_classes)


def is_a_stub(true_labels, predicted_labels, num_classes):
    raise NotImplementedError


WRONG = [
    (transposes, "transposed"),
    (counts_each_pair_once, "marks_instead_of_counts"),
    (sets_instead_of_adding, "marks_instead_of_counts"),
    (counts_right_answers, "right_answers_only"),
    (counts_mistakes, "mistakes_only"),
    (uses_the_true_label_twice, "true_label_twice"),
    (uses_the_predicted_label_twice, "predicted_label_twice"),
    (begins_with_ones, "begins_with_ones"),
    (names_one_row_many_times, "one_row_many_times"),
    (divides_by_all, "shares_of_all"),
    (divides_by_the_rows, "shares_of_true"),
    (divides_by_the_columns, "shares_of_predicted"),
    (goes_on_counting, "goes_on_counting"),
    (always_has_ten_classes, "always_ten_classes"),
    (uses_the_highest_label, "size_from_labels"),
    (forgets_minlength, "size_from_labels"),
    (counts_one_label, "one_count_a_class"),
    (gives_a_long_row, "wrong_shape"),
    (leaves_out_the_last, "other_counts"),
    (counts_in_lists, "not_a_tensor"),
    (counts_in_an_array, "not_a_tensor"),
    (counts_in_real_numbers, "no_whole_numbers"),
    (counts_in_bytes(torch.uint8), "counts_overflow"),
    (counts_in_bytes(torch.int8), "counts_overflow"),
    (counts_in_bytes(torch.uint8, torch.uint8), "counts_overflow"),
    (counts_in_bytes(torch.int8, torch.int8), "counts_overflow"),
    (forgets_return, "returns_none"),
    (is_a_stub, "unsolved"),
]


@pytest.mark.parametrize(("count", "mistake"), WRONG)
def test_each_mistake_is_recognized(count, mistake):
    kept_counts.zero_()
    verdict = check_confusion_matrix(count)
    assert verdict.mistake == mistake, verdict
    assert not verdict.passed
