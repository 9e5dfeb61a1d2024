"""Confusion counts as shares: of the true class along the rows, of the predicted one down."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets.training.evaluation.measures import normalize_confusion, precision, recall

COUNTS = torch.tensor([[6, 2, 0], [1, 3, 0], [5, 0, 5]])


def test_shares_of_the_true_class_divide_by_its_images():
    expected = torch.tensor([[6 / 8, 2 / 8, 0], [1 / 4, 3 / 4, 0], [1 / 2, 0, 1 / 2]])
    torch.testing.assert_close(normalize_confusion(COUNTS, "true"), expected.double())


def test_shares_of_the_predicted_class_divide_by_its_predictions():
    expected = torch.tensor([[6 / 12, 2 / 5, 0], [1 / 12, 3 / 5, 0], [5 / 12, 0, 1]])
    torch.testing.assert_close(normalize_confusion(COUNTS, "predicted"), expected.double())


def test_the_diagonals_are_recall_and_precision():
    shares = {by: normalize_confusion(COUNTS, by).diagonal() for by in ("true", "predicted")}
    assert torch.equal(shares["true"], recall(COUNTS))
    assert torch.equal(shares["predicted"], precision(COUNTS))


@pytest.mark.parametrize("by", ["true", "predicted"])
def test_what_has_no_images_has_no_shares(by):
    counts = torch.tensor([[4, 0], [0, 0]])
    shares = normalize_confusion(counts, by)
    assert shares[0, 0] == 1
    assert shares.isnan().sum() == 2
    assert (shares[1] if by == "true" else shares[:, 1]).isnan().all()


def test_the_counts_stay_as_they_are():
    counts = COUNTS.clone()
    normalize_confusion(counts, "true").zero_()
    assert torch.equal(counts, COUNTS)
