"""`check_confident_mistakes`: what students write, and the verdicts."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets.exercises import check_confident_mistakes


def right(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    mistakes = (predicted != labels).nonzero().flatten()
    order = confidences[mistakes].argsort(descending=True)
    return mistakes[order[:count]]


def right_with_lists(probabilities, labels, count=5):
    mistakes = []
    for position, (row, label) in enumerate(zip(probabilities, labels, strict=True)):
        if row.argmax() != label:
            mistakes.append((row.max().item(), position))
    return [position for _, position in sorted(mistakes, reverse=True)[:count]]


def right_with_a_mask(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    confidences = confidences.masked_fill(predicted == labels, -1)
    positions = confidences.argsort(descending=True)
    return positions[: min(count, int((predicted != labels).sum()))]


@pytest.mark.parametrize("find", [right, right_with_lists, right_with_a_mask])
def test_right_answers_pass_however_they_are_written(find):
    verdict = check_confident_mistakes(find)
    assert verdict.passed, verdict


def takes_the_least_confident(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    mistakes = (predicted != labels).nonzero().flatten()
    return mistakes[confidences[mistakes].argsort()[:count]]


def takes_the_end_of_the_order(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    mistakes = (predicted != labels).nonzero().flatten()
    return mistakes[confidences[mistakes].argsort()[-count:]]


def counts_among_the_mistakes(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    return confidences[predicted != labels].topk(count).indices


def takes_right_answers_too(probabilities, labels, count=5):
    return probabilities.amax(dim=1).topk(count).indices


def swaps_mistakes_and_right_answers(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    matches = (predicted == labels).nonzero().flatten()
    return matches[confidences[matches].argsort(descending=True)[:count]]


def takes_the_first(probabilities, labels, count=5):
    return (probabilities.argmax(dim=1) != labels).nonzero().flatten()[:count]


def uses_the_true_class(probabilities, labels, count=5):
    mistakes = (probabilities.argmax(dim=1) != labels).nonzero().flatten()
    return mistakes[probabilities[mistakes, labels[mistakes]].argsort()[:count]]


def sorts_the_positions(probabilities, labels, count=5):
    return right(probabilities, labels, count).sort().values


def takes_some_others(probabilities, labels, count=5):
    return right(probabilities, labels, count + 3)[3:]


def returns_confidences(probabilities, labels, count=5):
    return probabilities.amax(dim=1)[right(probabilities, labels, count)]


def returns_real_numbers(probabilities, labels, count=5):
    return right(probabilities, labels, count).float()


def returns_rows(probabilities, labels, count=5):
    return probabilities[right(probabilities, labels, count)]


def returns_classes(probabilities, labels, count=5):
    return probabilities[right(probabilities, labels, count)].argmax(dim=1)


def returns_a_mask(probabilities, labels, count=5):
    return probabilities.argmax(dim=1) != labels


def returns_all(probabilities, labels, count=5):
    return (probabilities.argmax(dim=1) != labels).nonzero().flatten()


def returns_a_column(probabilities, labels, count=5):
    return right(probabilities, labels, count).unsqueeze(1)


def ignores_count(probabilities, labels, count=5):
    return right(probabilities, labels, 5)


def insists_on_count(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    mistakes = (predicted != labels).nonzero().flatten()
    return mistakes[confidences[mistakes].topk(count).indices]


def fills_up(probabilities, labels, count=5):
    confidences, predicted = probabilities.max(dim=1)
    confidences[predicted == labels] = 0
    return confidences.topk(count).indices


def with_few(compute):
    """Return a function that is right if there are enough mistakes."""

    def find(probabilities, labels, count=5):
        mistakes = (probabilities.argmax(dim=1) != labels).nonzero().flatten()
        if len(mistakes) < count:
            return compute(mistakes)
        return right(probabilities, labels, count)

    return find


def needs_count(probabilities, labels, count):
    return right(probabilities, labels, count)


def forgets_return(probabilities, labels, count=5):
    right(probabilities, labels, count)


def is_a_stub(probabilities, labels, count=5):
    """Find the five mistakes of which the network was surest."""


WRONG = [
    (takes_the_least_confident, "least_confident_first"),
    (takes_the_end_of_the_order, "reversed"),
    (counts_among_the_mistakes, "positions_among_mistakes"),
    (takes_right_answers_too, "right_answers_too"),
    (swaps_mistakes_and_right_answers, "surest_right_answers"),
    (takes_the_first, "first_mistakes"),
    (uses_the_true_class, "by_true_class"),
    (sorts_the_positions, "not_sorted"),
    (takes_some_others, "other_mistakes"),
    (returns_confidences, "returns_probabilities"),
    (returns_real_numbers, "no_whole_numbers"),
    (returns_rows, "returns_rows"),
    (returns_classes, "returns_classes"),
    (returns_a_mask, "returns_mask"),
    (returns_all, "returns_all"),
    (returns_a_column, "wrong_shape"),
    (ignores_count, "ignores_count"),
    (insists_on_count, "fails_with_few"),
    (fills_up, "fills_up"),
    (with_few(lambda mistakes: mistakes), "wrong_with_few"),
    (with_few(lambda mistakes: mistakes.flip(0)), "wrong_with_few"),
    (with_few(lambda mistakes: torch.arange(len(mistakes))), "wrong_with_few"),
    (with_few(lambda mistakes: mistakes[:0]), "wrong_with_few"),
    (needs_count, "wrong_arguments"),
    (forgets_return, "returns_none"),
    (is_a_stub, "unsolved"),
]


@pytest.mark.parametrize(("find", "mistake"), WRONG)
def test_each_mistake_is_recognized(find, mistake):
    verdict = check_confident_mistakes(find)
    assert verdict.mistake == mistake, verdict
    assert not verdict.passed


def changes_its_arguments(probabilities, labels, count=5):
    positions = right(probabilities, labels, count)
    probabilities.zero_()
    return positions


def test_an_answer_cannot_change_the_probabilities_that_are_compared():
    assert check_confident_mistakes(changes_its_arguments).passed
