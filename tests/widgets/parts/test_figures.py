"""The positions of numbers on an axis, and the labels of its ticks."""

from __future__ import annotations

import numpy as np
import pytest
from bqplot import OrdinalScale

from mnist_widgets.rendering.curves.axes import AxisRange
from mnist_widgets.widgets.parts.figures import DataAxis, class_axis


@pytest.fixture
def axis():
    return DataAxis("Loss", "{:g}".format, margin=0.1)


def test_the_ends_lie_a_margin_inside_the_side(axis):
    axis.show(AxisRange(-2.0, 6.0))
    assert axis.place(np.array([[-2.0, 2.0], [6.0, 10.0]])).tolist() == [
        [pytest.approx(0.1), pytest.approx(0.5)],
        [pytest.approx(0.9), pytest.approx(1.3)],
    ]


def test_equal_ratios_are_equal_distances_on_a_logarithmic_side(axis):
    axis.show(AxisRange(0.01, 100.0, is_log=True))
    assert axis.place(np.array([0.01, 1.0, 100.0])) == pytest.approx([0.1, 0.5, 0.9])


@pytest.mark.parametrize("is_log", [False, True])
def test_each_tick_is_written_where_its_number_lies(axis, is_log):
    axis.show(AxisRange(0.03, 2.5, is_log))
    ticks, labels = axis.axis.tick_values, axis.axis.tick_labels
    assert len(ticks) >= 3
    for place in ticks.tolist():
        label = labels[str(place)]  # by this key the page looks the label up
        assert axis.place(np.array(float(label))) == pytest.approx(place, abs=1e-4)


def test_ticks_of_other_numbers_never_lie_at_the_same_places(axis):
    # bqplot would go on writing the old numbers
    axis.show(AxisRange(0.0, 15.0))
    before = set(axis.axis.tick_values)
    axis.show(AxisRange(0.0, 150.0))
    assert len(axis.axis.tick_values) == len(before)
    assert not before & set(axis.axis.tick_values)


def test_the_same_range_again_sends_nothing(axis):
    axis.show(AxisRange(0.0, 5.0))
    changes = []
    axis.axis.observe(changes.append)
    axis.show(AxisRange(0.0, 5.0))
    assert not changes


@pytest.mark.parametrize(
    ("names", "is_slanted"),
    [
        ("0123456789", False),
        ("abcdefghijklmnopqrstuvwxyz", False),
        (list(map(str, range(30))), True),
        (["shirt", "coat"], True),
    ],
)
def test_names_that_are_long_or_many_are_slanted_and_get_more_room(names, is_slanted):
    axis, height_px = class_axis(OrdinalScale(domain=list(names)), names)
    _, usual_px = class_axis(OrdinalScale(domain=["0"]), ["0"])
    assert bool(axis.tick_rotate) == is_slanted
    assert (height_px > usual_px) == is_slanted


def test_a_very_long_name_is_shortened_on_the_axis():
    names = ["short", "x" * 16, "a" * 25 + "b" * 25, "a" * 25 + "c" * 25]
    axis, height_px = class_axis(OrdinalScale(domain=names), names)
    labels = [axis.tick_labels[name] for name in names]
    assert labels[:2] == names[:2]
    assert all("\N{HORIZONTAL ELLIPSIS}" in label and len(label) <= 16 for label in labels[2:])
    assert len(set(labels)) == 4
    assert height_px == class_axis(OrdinalScale(domain=names[:2]), names[:2])[1]
