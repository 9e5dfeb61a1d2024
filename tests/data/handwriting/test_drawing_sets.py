"""Drawings with labels become a set of images."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets import Drawing
from mnist_widgets.data.handwriting import drawing
from mnist_widgets.data.handwriting.drawing import draw_images
from mnist_widgets.data.handwriting.drawing_sets import to_digit_set

ONE = Drawing([[(0.5, 0.1), (0.5, 0.9)]])
SEVEN = Drawing([[(0.2, 0.1), (0.8, 0.1), (1 / 3, 0.9)]])


def test_a_set_has_the_images_labels_and_names():
    made = to_digit_set([(ONE, 1), (SEVEN, 0)], "mine", class_names="AB", scale=False, pen=1.0)
    assert (made.name, made.class_names, made.labels.tolist()) == ("mine", ("A", "B"), [1, 0])
    for image, each in zip(made.images, (ONE, SEVEN), strict=True):
        assert torch.equal(image, each.to_image(scale=False, pen=1.0))


def test_a_set_without_drawings_or_with_a_label_without_a_name_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        to_digit_set([])
    with pytest.raises(ValueError, match="Label 10"):
        to_digit_set([(ONE, 10)])


def test_many_drawings_are_drawn_in_parts_and_stay_in_their_order(monkeypatch):
    drawings = [ONE, Drawing([]), SEVEN, SEVEN, ONE]
    whole = draw_images(drawings)
    sizes = []
    to_lines = drawing.to_lines
    monkeypatch.setattr(drawing, "_MOST_AT_ONCE", 2)
    monkeypatch.setattr(drawing, "to_lines", lambda part: sizes.append(len(part)) or to_lines(part))
    assert torch.equal(draw_images(drawings), whole)
    assert sizes == [2, 2]
