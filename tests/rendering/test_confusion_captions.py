"""Confusion counts as colours, numbers and sentences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mnist_widgets.rendering.confusion_captions import (
    DIAGONAL_STRENGTH,
    STRONGEST_MISTAKE,
    color_cells,
    describe_accuracy,
    describe_colors,
    describe_pair,
    find_strongest,
    format_percent,
    write_cells,
)

DASH = "\N{EN DASH}"
COUNTS = torch.tensor([[6, 2, 0], [1, 3, 0], [5, 0, 0]])


def like_mnist():
    """Counts of 1,000 images a class, asymmetric: 12 fours taken for nines, 5 the other way."""
    counts = torch.eye(10, dtype=torch.int64) * 1000
    for true_label, predicted_label, count in ((4, 9, 12), (9, 4, 5), (7, 2, 40)):
        counts[true_label, predicted_label] = count
        counts[true_label, true_label] -= count
    return counts


def test_mistakes_are_clipped_at_twenty_of_mnists_images_as_in_the_tutorial():
    counts = like_mnist()
    strengths = color_cells(counts, "counts", highlights_mistakes=True)
    assert find_strongest(counts, "counts", highlights_mistakes=True) == STRONGEST_MISTAKE == 20
    assert strengths[4, 9] == 12 / 20
    assert strengths[9, 4] == 5 / 20
    assert strengths[7, 2] == 1
    assert strengths[0, 1] == 0
    assert (strengths.diagonal() == DIAGONAL_STRENGTH).all()


def test_shares_are_clipped_where_the_counts_are():
    counts = like_mnist()
    strengths = color_cells(counts, "true", highlights_mistakes=True)
    np.testing.assert_allclose(strengths, color_cells(counts, "counts", highlights_mistakes=True))


def test_one_mistake_of_a_small_set_shows_and_differs_from_several():
    counts = torch.eye(10, dtype=torch.int64) * 36
    counts[4, 9], counts[9, 4] = 1, 3
    for numbers in ("counts", "true"):
        strengths = color_cells(counts, numbers, highlights_mistakes=True)
        assert 0.25 < strengths[4, 9] < 0.4
        assert strengths[9, 4] > 0.9


@pytest.mark.parametrize(("numbers", "strongest"), [("counts", 8), ("true", 1), ("predicted", 1)])
def test_without_highlights_the_strongest_colour_is_a_whole_class(numbers, strongest):
    assert find_strongest(COUNTS, numbers, highlights_mistakes=False) == strongest
    strengths = color_cells(COUNTS, numbers, highlights_mistakes=False)
    assert strengths.min() == 0
    assert 0.5 <= strengths[0, 0] <= 1


def test_an_undefined_share_is_a_dash_without_colour():
    shares = write_cells(COUNTS, "predicted")
    assert shares.tolist() == [["50.0", "40.0", DASH], ["8.3", "60.0", DASH], ["41.7", "0", DASH]]
    strengths = color_cells(COUNTS, "predicted", highlights_mistakes=False)
    assert (strengths[:, 2] == 0).all()
    assert np.isfinite(strengths).all()


def test_counts_are_written_without_commas_to_fit_their_cells():
    assert write_cells(COUNTS * 1000, "counts")[0].tolist() == ["6000", "2000", "0"]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0"),
        (1e-5, "<0.1"),
        (0.0123, "1.2"),
        (0.5, "50.0"),
        (0.99999, ">99.9"),
        (1, "100"),
        (float("nan"), DASH),
    ],
)
def test_no_share_is_rounded_to_nothing_or_to_all(share, text):
    assert format_percent(share) == text


def test_a_pair_is_true_first():
    assert describe_pair(like_mnist(), (4, 9), "counts", "digit") == "12 images"
    assert describe_pair(COUNTS, (1, 0), "counts", "class") == "1 image"


def test_a_share_names_its_whole():
    of_true = describe_pair(COUNTS, (0, 1), "true", "class")
    of_predicted = describe_pair(COUNTS, (0, 1), "predicted", "class")
    assert of_true == "2 images, 25.0 % of the images of that class"
    assert of_predicted == "2 images, 40.0 % of those predictions"


def test_the_accuracy_is_a_share_and_two_counts():
    words = describe_accuracy(like_mnist() * 10)
    assert words == "Accuracy 99.4 %: 99,430 of 100,000 right"


def test_the_key_names_both_ends_of_the_colours():
    counts = like_mnist()
    for numbers, highlights, expected in (
        ("counts", True, ("0", "20 or more")),
        ("true", True, ("0 %", "2 % or more")),
        ("counts", False, ("0", "1,000")),
        ("true", False, ("0 %", "100 %")),
    ):
        *ends, diagonal = describe_colors(counts, numbers, highlights_mistakes=highlights)
        assert tuple(ends) == expected
        assert bool(diagonal) is highlights
