"""Which images pass a filter, and in which order."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets.training.evaluation.evaluator import Predictions
from mnist_widgets.training.evaluation.selection import ALL_IMAGES, ImageFilter, select_images

ORDERS = ["as stored", "highest loss", "least confident", "most confident"]
LABELS = torch.tensor([0, 1, 2, 1, 0, 2])
PREDICTIONS = Predictions(
    torch.tensor(
        [
            [0.7, 0.2, 0.1],  # 0: right
            [0.5, 0.3, 0.2],  # 1: taken for 0
            [0.1, 0.0, 0.9],  # 2: right
            [0.1, 0.5, 0.4],  # 1: right
            [0.2, 0.8, 0.0],  # 0: taken for 1
            [0.0, 0.3, 0.7],  # 2: right, and as sure as the first
        ]
    ),
    LABELS,
)


def select(*args, predictions=PREDICTIONS):
    return select_images(LABELS, predictions, *args).tolist()


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        (ALL_IMAGES, [0, 1, 2, 3, 4, 5]),
        (ImageFilter(is_right=True), [0, 2, 3, 5]),
        (ImageFilter(is_right=False), [1, 4]),
        (ImageFilter(label=1), [1, 3]),
        (ImageFilter(predicted=1), [3, 4]),
        (ImageFilter(label=0, predicted=1), [4]),
        (ImageFilter(label=1, predicted=0), [1]),
        (ImageFilter(label=2, predicted=0), []),
    ],
)
def test_a_filter_lets_through_what_fits_in_the_order_of_the_set(wanted, positions):
    assert select(wanted) == positions


def test_true_and_predicted_are_not_mixed_up():
    predictions = Predictions(torch.rand(500, 3).softmax(1), torch.randint(0, 3, (500,)))
    for label in range(3):
        for predicted in range(3):
            wanted = ImageFilter(label=label, predicted=predicted)
            indices = select_images(predictions.labels, predictions, wanted)
            assert len(indices) == predictions.confusion[label, predicted]
            assert set(predictions.labels[indices].tolist()) <= {label}
            assert set(predictions.predicted_labels[indices].tolist()) <= {predicted}
            assert wanted.pair == (label, predicted)


@pytest.mark.parametrize(
    ("order", "positions"),
    [
        ("highest loss", [4, 1, 3, 0, 5, 2]),
        ("least confident", [1, 3, 0, 5, 4, 2]),  # equals stay in the order of the set
        ("most confident", [2, 4, 0, 5, 1, 3]),
    ],
)
def test_images_are_sorted_and_equals_stay_in_the_order_of_the_set(order, positions):
    assert select(ALL_IMAGES, order) == positions


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_holds_among_what_a_filter_lets_through(order):
    everything = select(ALL_IMAGES, order)
    assert select(ImageFilter(is_right=True), order) == [i for i in everything if i in {0, 2, 3, 5}]


@pytest.mark.parametrize("order", ORDERS)
def test_a_diverged_network_hides_no_image(order):
    predictions = Predictions(torch.full((6, 3), torch.nan), LABELS)
    assert sorted(select(ALL_IMAGES, order, predictions=predictions)) == [0, 1, 2, 3, 4, 5]


def test_labels_are_enough_for_labels():
    assert select(predictions=None) == [0, 1, 2, 3, 4, 5]
    assert select(ImageFilter(label=2), predictions=None) == [2, 5]


@pytest.mark.parametrize("wanted", [ImageFilter(is_right=True), ImageFilter(predicted=0)])
def test_without_predictions_nothing_is_known_of_them(wanted):
    assert wanted.needs_predictions
    with pytest.raises(ValueError, match="needs predictions"):
        select(wanted, predictions=None)


@pytest.mark.parametrize("order", ORDERS[1:])
def test_without_predictions_only_the_stored_order_is_known(order):
    with pytest.raises(ValueError, match=order):
        select(ALL_IMAGES, order, predictions=None)


def test_true_class_and_reactions_refer_to_the_original_labels():
    true_labels = torch.tensor([0, 0, 2, 2, 1, 2])  # of 1, 3 and 4 the label is wrong

    def select_wrong(wanted, order="as stored", predictions=PREDICTIONS):
        return select_images(LABELS, predictions, wanted, order, true_labels).tolist()

    assert select_wrong(ImageFilter(has_wrong_label=True)) == [1, 3, 4]
    assert select_wrong(ImageFilter(has_wrong_label=True), predictions=None) == [1, 3, 4]
    assert select_wrong(ImageFilter(has_wrong_label=False)) == [0, 2, 5]
    assert select_wrong(ImageFilter(reaction="memorized")) == [3]
    assert select_wrong(ImageFilter(reaction="resisted")) == [1, 4]
    assert select_wrong(ImageFilter(reaction="neither")) == []
    assert select_wrong(ImageFilter(label=0)) == [0, 1]
    assert select_wrong(ImageFilter(is_right=False)) == [3]
    # the loss is that of the training
    assert select_wrong(ALL_IMAGES, "highest loss")[:2] == [4, 1]
    with pytest.raises(ValueError, match="predictions"):
        select_wrong(ImageFilter(reaction="memorized"), predictions=None)
