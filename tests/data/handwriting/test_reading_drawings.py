"""A network that learned from MNIST reads drawings that the preprocessing made like MNIST's."""

from __future__ import annotations

import os

import pytest
import torch
from handwriting_samples import PENS, PLACES, SIZES, WAYS, draw, draw_samples
from torch import nn

from mnist_widgets import SimpleNet, Trainer, load_mnist, predict_probabilities
from mnist_widgets.data.handwriting.drawing import draw_images


@pytest.mark.skipif("MNIST_WIDGETS_DATA" not in os.environ, reason="needs the real MNIST")
def test_three_epochs_of_mnist_read_95_percent_of_the_samples_with_either_pen():
    train_set, _ = load_mnist(download=False)
    model = SimpleNet(784, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    Trainer(model, nn.CrossEntropyLoss(), optimizer, train_set.batches(512, shuffle=True)).fit(3)
    drawings, labels = draw_samples()

    def measure(**stages):
        """Return the accuracy with each pen."""
        answers = [
            predict_probabilities(model, draw_images(drawings, pen=pen, **stages)).argmax(1)
            for pen in PENS
        ]
        return [float((answer == torch.tensor(labels)).float().mean()) for answer in answers]

    assert min(measure()) >= 0.95
    # Without the stages it is a different matter: the samples do differ from MNIST.
    assert max(measure(scale=False, center=False)) < 0.5


def test_samples_have_three_ways_of_each_digit_in_all_sizes_and_places():
    drawings, labels = draw_samples()
    assert [len(WAYS[digit]) for digit in range(10)] == [3] * 10
    assert len(set(drawings)) == len(labels) == 30 * len(SIZES) * len(PLACES)


def test_size_and_place_on_the_pad_do_not_change_the_image():
    for digit, ways in WAYS.items():
        for way, strokes in ways.items():
            for pen in PENS:
                whole = draw(strokes).to_image(pen=pen).int()
                for size in SIZES:
                    for place in PLACES.values():
                        image = draw(strokes, size, place).to_image(pen=pen).int()
                        assert (image - whole).abs().max() <= 1, (digit, way, size, place)


def test_without_the_stages_size_and_place_do_change_the_image():
    strokes = WAYS[3]["round"]
    whole = draw(strokes).to_image(scale=False, center=False)
    small = draw(strokes, 0.3, (0, 0)).to_image(scale=False, center=False)
    moved = draw(strokes, 0.3, (1, 1)).to_image(scale=False, center=False)
    assert small[14:].sum() == 0
    assert moved[:14].sum() == 0
    assert whole[:14].sum() > 0 < whole[14:].sum()
