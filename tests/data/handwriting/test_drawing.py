"""A drawing keeps its strokes, and becomes an image like MNIST's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mnist_widgets import Drawing
from mnist_widgets.data.handwriting.drawing import MOST_POINTS, draw_images, measure_ink

COORDINATES = st.floats(-1, 2, allow_nan=False)
STROKES = st.lists(
    st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=12), max_size=4
)
PENS = st.floats(0.9, 1.8)
SEVEN = [[(0.2, 0.1), (0.8, 0.1), (0.4, 0.9)], [(0.3, 0.5), (0.7, 0.5)]]


def find_extent(image):
    """Return the number of rows and of columns that have ink."""
    return int((image > 0).any(1).sum()), int((image > 0).any(0).sum())


def find_center(image):
    """Return the row and the column of the center of mass, as pixel indices."""
    mass, indices = image.double(), torch.arange(28, dtype=torch.float64)
    return [float(mass.sum(axis) @ indices / mass.sum()) for axis in (1, 0)]


def test_drawings_with_equal_strokes_are_equal():
    assert Drawing(SEVEN) == Drawing(np.array(each) for each in SEVEN)
    assert len({Drawing(SEVEN), Drawing(SEVEN), Drawing(SEVEN[:1])}) == 2
    assert Drawing([[], *SEVEN, []]) == Drawing(SEVEN)


def test_an_empty_drawing_is_a_black_image():
    for strokes in ([], [[]]):
        assert Drawing(strokes).is_empty
        assert not Drawing(strokes).to_image().any()
    assert not Drawing(SEVEN).is_empty


@pytest.mark.parametrize(
    "strokes",
    [
        None,
        7,
        "0.5",
        [[(0.5,)]],
        [[(0.5, 0.5, 0.5)]],
        [(0.5, 0.5)],
        [["12"]],
        [[("0.5", 0.5)]],
        [[(True, 0.5)]],
        [[(None, 0.5)]],
        [[(float("nan"), 0.5)]],
        [[(0.5, float("inf"))]],
        [[(10**400, 0.5)]],
        [[(0.5, -1001)]],
        [[(0.5, 0.5)] * (MOST_POINTS + 1)],
        [[(0.5, 0.5)]] * (MOST_POINTS + 1),
    ],
)
def test_strokes_that_are_not_points_near_the_pad_are_refused_in_a_short_sentence(strokes):
    with pytest.raises(ValueError, match=r"^[A-Z][^\n]{10,120}\.$"):
        Drawing(strokes)


def test_a_drawing_has_up_to_10_000_points():
    assert Drawing([[(0.5, 0.5)] * MOST_POINTS]).to_image().any()


@pytest.mark.parametrize("pen", [0, -1, 5.1, float("nan")])
def test_a_pen_without_width_or_too_wide_is_refused(pen):
    with pytest.raises(ValueError, match="pen"):
        Drawing(SEVEN).to_image(pen=pen)


@pytest.mark.parametrize("pen", [0.9, 1.3, 1.8])
def test_the_longer_side_of_the_ink_is_20_pixels_and_the_shorter_keeps_its_proportion(pen):
    for strokes in (SEVEN, [[(0.5, 0.1), (0.5, 0.9)]], [[(0.2, 0.5), (0.4, 0.5)]]):
        image = Drawing(strokes).to_image(pen=pen, center=False)
        # the edge of the pen reaches half a pixel further, and may cover parts of two pixels
        assert max(find_extent(image)) in (20, 21, 22)
    rows, columns = find_extent(Drawing([[(0.5, 0.1), (0.5, 0.9)]]).to_image(pen=pen))
    assert columns <= 2 * pen + 2 < rows


def test_the_center_of_mass_moves_to_pixel_14():
    image = Drawing(SEVEN).to_image()
    assert find_center(image) == pytest.approx([14, 14], abs=0.02)
    lopsided = Drawing(SEVEN).to_image(center=False)
    assert find_center(lopsided) != pytest.approx([14, 14], abs=0.3)


def test_without_scaling_the_pad_is_the_whole_image():
    dot = Drawing([[(0.25, 0.75)]]).to_image(scale=False, center=False)
    assert find_center(dot) == pytest.approx([0.75 * 28 - 0.5, 0.25 * 28 - 0.5], abs=0.02)


def test_a_dot_stays_as_small_as_the_pen():
    dot = Drawing([[(0.9, 0.1)]]).to_image()
    assert max(find_extent(dot)) <= 4
    assert find_center(dot) == pytest.approx([14, 14], abs=0.02)


def test_points_close_together_leave_no_gap_and_no_knot():
    sparse = Drawing([[(0.1, 0.2), (0.9, 0.7)]])
    dense = Drawing([[(0.1 + 0.8 * t, 0.2 + 0.5 * t) for t in np.linspace(0, 1, 400)]])
    for pen in (0.5, 1.3, 5):
        difference = sparse.to_image(pen=pen).int() - dense.to_image(pen=pen).int()
        assert difference.abs().max() <= 1


def test_each_stage_repeats_the_one_before_when_it_is_off():
    drawing = Drawing([[(0.1, 0.1), (0.3, 0.1), (0.2, 0.4)]])
    for scale in (True, False):
        for center in (True, False):
            drawn, scaled, centered = drawing.to_stages(scale=scale, center=center)
            assert [each.name for each in (drawn, scaled, centered)] == [
                "As drawn",
                "Scaled",
                "Centered",
            ]
            assert (drawn.is_on, scaled.is_on, centered.is_on) == (True, scale, center)
            assert torch.equal(drawn.image, scaled.image) == (not scale)
            assert torch.equal(scaled.image, centered.image) == (not center)
            assert torch.equal(centered.image, drawing.to_image(scale=scale, center=center))


def test_ink_is_the_share_of_full_white():
    assert measure_ink(torch.full((28, 28), 255, dtype=torch.uint8)) == 1
    assert measure_ink(torch.zeros(28, 28, dtype=torch.uint8)) == 0


@given(st.lists(STROKES, max_size=5), st.booleans(), st.booleans(), PENS)
def test_many_drawings_at_once_are_the_images_of_each(many, scale, center, pen):
    drawings = [Drawing(strokes) for strokes in many]
    images = draw_images(drawings, scale=scale, center=center, pen=pen)
    assert (images.shape, images.dtype) == ((len(many), 28, 28), torch.uint8)
    for drawing, image in zip(drawings, images, strict=True):
        alone = drawing.to_image(scale=scale, center=center, pen=pen)
        assert (alone.int() - image.int()).abs().max() <= 1


@given(STROKES.filter(bool), PENS)
def test_scaled_ink_is_never_cut_off_at_the_border(strokes, pen):
    image = Drawing(strokes).to_image(pen=pen)
    assert image.any()
    border = torch.cat([image[0], image[-1], image[:, 0], image[:, -1]])
    assert border.max() <= 128  # the pen's edge, where the ink is half as dark, is in the frame
