"""A PNG shows the tensor, pixel for pixel."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_widgets.data.images import to_png, to_sprite


@pytest.fixture
def image():
    return torch.randint(0, 256, (28, 28), dtype=torch.uint8)


def decode(png: bytes) -> torch.Tensor:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "L"
        return torch.from_numpy(np.array(picture))


def test_a_png_holds_the_same_pixels(image):
    assert torch.equal(decode(to_png(image)), image)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28)])
def test_floats_are_the_same_picture_as_bytes(image, shape):
    inputs = (image / 255).reshape(shape)
    assert to_png(inputs) == to_png(image.reshape(shape)) == to_png(image)


def test_a_pixel_is_enlarged_to_a_square(image):
    enlarged = decode(to_png(image, scale=3))
    assert enlarged.shape == (84, 84)
    for row in range(3):
        for column in range(3):
            assert torch.equal(enlarged[row::3, column::3], image)


def test_an_image_that_requires_gradients_is_drawn(image):
    assert to_png((image / 255).requires_grad_()) == to_png(image)


def test_a_sprite_is_filled_row_by_row_and_padded_with_black():
    images = torch.randint(1, 256, (5, 28, 28), dtype=torch.uint8)
    sprite = decode(to_sprite(images, num_columns=3))
    assert sprite.shape == (2 * 28, 3 * 28)
    cells = sprite.reshape(2, 28, 3, 28).transpose(1, 2).reshape(6, 28, 28)
    assert torch.equal(cells[:5], images)
    assert not cells[5].any()


def test_a_sprite_of_inputs_is_that_of_their_images():
    images = torch.randint(0, 256, (4, 28, 28), dtype=torch.uint8)
    assert to_sprite(images.unsqueeze(1) / 255, 2) == to_sprite(images, 2)


@pytest.mark.parametrize("shape", [(27, 28), (784,), (3, 28, 28), (1, 1, 28, 28)])
def test_another_shape_is_no_image(shape):
    with pytest.raises(ValueError, match=r"the shape \(.*must be \(28, 28\) or \(1, 28, 28\)"):
        to_png(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(28, 28), (0, 28, 28), (5, 27, 28), (5, 3, 28, 28)])
def test_another_shape_is_no_series_of_images(shape):
    with pytest.raises(ValueError, match=r"the shape \(.*must be \(N, 28, 28\)"):
        to_sprite(torch.zeros(shape), 5)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_floats_outside_0_to_1_are_refused(value):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        to_png(torch.full((28, 28), value))


def test_other_types_of_pixels_are_refused():
    with pytest.raises(ValueError, match=r"torch\.int64"):
        to_png(torch.zeros(28, 28, dtype=torch.int64))


def test_sizes_below_one_are_named(image):
    with pytest.raises(ValueError, match="scale is 0"):
        to_png(image, scale=0)
    with pytest.raises(ValueError, match="num_columns is 0"):
        to_sprite(image.unsqueeze(0), num_columns=0)
