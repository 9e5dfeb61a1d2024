"""Images of digits are cropped, scaled and centered as MNIST's are."""

from __future__ import annotations

import os

import pytest
import torch
from torch import nn

from mnist_widgets import SimpleNet, load_mnist, predict_probabilities
from mnist_widgets.data.handwriting.pixels import fit_ink


def make_image(top, left, height, width, size=28):
    """Return one black image with a white rectangle."""
    image = torch.zeros(1, size, size, dtype=torch.uint8)
    image[0, top : top + height, left : left + width] = 255
    return image


def frame(images):
    """Return uint8 images (N, H, W) as `fit_ink` changes them, uint8 (N, 28, 28)."""
    return fit_ink(images / 255).mul(255).round().to(torch.uint8)


def find_center(image):
    indices, mass = torch.arange(28.0), image.sum()
    return float(image.sum(1) @ indices / mass), float(image.sum(0) @ indices / mass)


def find_sides(image, threshold=127):
    is_ink = image > threshold
    return int(is_ink.any(1).sum()), int(is_ink.any(0).sum())


def test_the_longer_side_becomes_twenty_pixels_and_proportions_stay():
    for height, width, wanted in [
        (10, 10, (20, 20)),
        (10, 5, (20, 10)),
        (4, 8, (10, 20)),
        (28, 14, (20, 10)),
        (20, 3, (20, 3)),
    ]:
        framed = frame(make_image(0, 2, height, width))
        assert (framed.shape, framed.dtype) == ((1, 28, 28), torch.uint8)
        sides = find_sides(framed[0])
        assert sides == pytest.approx(wanted, abs=1), (height, width)
        assert framed.sum() / 255 == pytest.approx(wanted[0] * wanted[1], rel=0.08)


def test_the_center_of_mass_moves_to_pixel_14():
    random = torch.Generator().manual_seed(0)
    for _ in range(20):
        image = torch.zeros(28, 28)
        top, left = torch.randint(0, 8, (2,), generator=random).tolist()
        shape = torch.randint(0, 256, (20, 16), generator=random) * torch.linspace(1, 0.5, 16)
        image[top : top + 20, left : left + 16] = shape
        framed = frame(image.to(torch.uint8)[None])[0]
        assert find_center(framed.float()) == pytest.approx((14, 14), abs=0.51)


def test_the_place_and_the_size_of_a_digit_make_little_difference():
    ring = make_image(6, 8, 16, 12) - make_image(9, 11, 10, 6)
    framed = frame(ring)
    for moved in (ring.roll((-6, 7), (1, 2)), ring.roll((6, -8), (1, 2))):
        assert (frame(moved).int() - framed.int()).abs().max() <= 1
    larger = torch.zeros(1, 112, 112, dtype=torch.uint8)
    larger[0, 10:74, 40:88] = ring[0, 6:22, 8:20].repeat_interleave(4, 0).repeat_interleave(4, 1)
    difference = (frame(larger).int() - framed.int()) / 255
    assert difference.abs().mean() < 0.03


def test_images_that_are_as_they_should_be_stay_as_they_are():
    image = make_image(4, 8, 20, 13)
    assert torch.equal(frame(frame(image)), frame(image))
    assert torch.equal(frame(make_image(4, 4, 20, 20)), make_image(4, 4, 20, 20))


def test_an_image_without_ink_stays_black():
    assert frame(torch.zeros(2, 28, 28, dtype=torch.uint8)).sum() == 0


def test_no_ink_leaves_the_image():
    tail = make_image(0, 0, 3, 20) + make_image(3, 0, 17, 1)  # its center of mass is near a corner
    framed = frame(tail)
    assert framed.sum() == tail.long().sum()


def test_each_of_many_images_is_handled_by_itself():
    images = torch.cat([make_image(row, 3, 9, 5) for row in (0, 4, 15)])
    framed = frame(images)
    assert torch.equal(framed, frame(images[:1]).expand(3, -1, -1))
    assert torch.equal(frame(torch.cat([images, make_image(2, 2, 5, 9)]))[:3], framed)


@pytest.mark.skipif(not os.environ.get("MNIST_WIDGETS_DATA", "").strip(), reason="needs MNIST")
def test_mnist_itself_is_read_as_well_as_before():
    train_set, test_set = load_mnist(download=False)
    framed = frame(test_set.images)
    assert (framed == test_set.images).flatten(1).all(dim=1).float().mean() > 0.99

    moved = torch.zeros_like(test_set.images)
    moved[:, 4:, 4:] = test_set.images[:, :-4, :-4]
    is_whole = moved.long().sum((1, 2)) == test_set.images.long().sum((1, 2))
    assert is_whole.float().mean() > 0.3  # MNIST centers by mass, so that some lie off the middle

    model = SimpleNet(784, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for inputs, labels in train_set.batches(512, shuffle=True):
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    def measure(images, chosen):
        predicted = predict_probabilities(model, images[chosen]).argmax(1)
        return 100 * float((predicted == test_set.labels[chosen]).float().mean())

    everything = torch.ones(len(test_set), dtype=torch.bool)
    usual = measure(test_set.images, everything)
    assert measure(framed, everything) == pytest.approx(usual, abs=0.3)
    usual = measure(test_set.images, is_whole)
    assert measure(moved, is_whole) < usual - 20
    assert measure(frame(moved), is_whole) == pytest.approx(usual, abs=0.3)
