"""The reactions of a network to wrong labels."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import one_hot

from mnist_widgets.training.evaluation.predictions import Predictions
from mnist_widgets.training.evaluation.selection import find_wrong_labels

LABELS = torch.tensor([1, 1, 1, 1, 0])
ORIGINALS = torch.tensor([0, 0, 0, 0, 0])


def test_each_wrong_label_has_one_reaction():
    answers = one_hot(torch.tensor([1, 0, 2, 1, 2]), 3).float()
    answers[3] = math.nan
    wrong = find_wrong_labels(LABELS, ORIGINALS, Predictions(answers, LABELS))
    assert wrong.num_wrong == 4
    found = {name: where.nonzero().flatten().tolist() for name, where in wrong.reactions.items()}
    assert found == {"memorized": [0], "resisted": [1], "neither": [2]}
    assert [wrong.count(name) for name in found] == [1, 1, 1]


def test_before_a_prediction_only_the_labels_are_known():
    wrong = find_wrong_labels(LABELS, ORIGINALS, None)
    assert wrong.are_wrong.tolist() == [True] * 4 + [False]
    assert wrong.reactions == {}
    assert find_wrong_labels(LABELS, LABELS, None).num_wrong == 0
