"""Augmentation moves each image a little, each differently, and batches apply any transform."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torchvision.transforms import v2

import mnist_widgets
from mnist_widgets import DigitSet, Evaluator, augment, load_bundled_digits
from mnist_widgets.data.augmentation import MAX_SHIFT_PX, MAX_TURN_DEGREES, SCALES, warp
from mnist_widgets.data.digit_set import to_inputs


@pytest.fixture(scope="module")
def digits():
    return load_bundled_digits()[0]


@pytest.fixture(scope="module")
def inputs(digits):
    return to_inputs(digits.images[:64])


def make_dot(row, column):
    """Return one black image with a white square of 3x3 pixels around this pixel."""
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, row - 1 : row + 2, column - 1 : column + 2] = 1
    return image


def find_center(image):
    """Return the center of mass, as the row and column of a pixel."""
    indices, mass = torch.arange(28.0), image.sum()
    rows, columns = image[0, 0].sum(1), image[0, 0].sum(0)
    return float(rows @ indices / mass), float(columns @ indices / mass)


def warp_one(image, turn=0.0, scale=1.0, shift=(0.0, 0.0)):
    return warp(image, torch.tensor([turn]), torch.tensor([scale]), torch.tensor([shift]))


def test_images_are_changed_but_still_images(inputs):
    before = inputs.clone()
    changed = augment(inputs)
    assert torch.equal(inputs, before)
    assert (changed.shape, changed.dtype) == (inputs.shape, torch.float32)
    assert changed.min() >= 0
    assert changed.max() <= 1 + 1e-6
    assert (changed != inputs).flatten(1).any(dim=1).all()


def test_each_image_of_a_batch_changes_differently(inputs):
    copies = augment(inputs[:1].expand(20, -1, -1, -1))
    assert len({copy.numpy().tobytes() for copy in copies}) == 20


def test_a_generator_repeats_the_changes_and_leaves_the_global_one_alone(inputs):
    state = torch.get_rng_state()
    first, second = (augment(inputs, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    generator = torch.Generator().manual_seed(5)
    assert torch.equal(augment(inputs, generator), first)
    assert not torch.equal(augment(inputs, generator), first)
    torch.manual_seed(3)
    repeated = augment(inputs)
    torch.manual_seed(3)
    assert torch.equal(augment(inputs), repeated)


def test_changes_are_small_and_use_their_whole_range():
    center = make_dot(13, 13).expand(4_000, -1, -1, -1)
    places = torch.tensor([find_center(copy[None]) for copy in augment(center)]) - 13
    assert places.abs().max() <= MAX_SHIFT_PX + 0.2  # the turn moves a dot beside the center
    assert (places.amax(0) > MAX_SHIFT_PX - 0.2).all()
    assert (places.amin(0) < 0.2 - MAX_SHIFT_PX).all()
    sizes = augment(center).sum((1, 2, 3)) / 9  # areas
    assert sizes.min() == pytest.approx(SCALES[0] ** 2, abs=0.06)
    assert sizes.max() == pytest.approx(SCALES[1] ** 2, abs=0.06)
    bar = torch.zeros(1, 1, 28, 28)
    bar[0, 0, 13:15, 2:26] = 1
    bars = augment(bar.expand(2_000, -1, -1, -1))[:, 0]
    indices = torch.arange(28.0)
    rows = (bars * indices[:, None]).sum(1) / bars.sum(1)  # height of the bar in each column
    slopes = torch.atan((rows[:, 18] - rows[:, 9]) / 9).rad2deg()
    assert slopes.abs().max() == pytest.approx(MAX_TURN_DEGREES, abs=0.5)
    assert slopes.min() < 0.5 - MAX_TURN_DEGREES


def test_no_motion_leaves_images_as_they_were(inputs):
    num_images = len(inputs)
    same = warp(inputs, torch.zeros(num_images), torch.ones(num_images), torch.zeros(num_images, 2))
    assert torch.allclose(same, inputs, atol=1e-5)


def test_motions_have_their_directions_and_units():
    dot = make_dot(10, 18)  # above and to the right of the center, 13.5
    for motion, place in [
        ({"shift": (2.0, 0.0)}, (10, 20)),
        ({"shift": (0.0, -1.5)}, (8.5, 18)),
        ({"turn": 90.0}, (18, 17)),
        ({"turn": -90.0}, (9, 10)),
        ({"scale": 2.0}, (6.5, 22.5)),
        ({"turn": 90.0, "shift": (3.0, 0.0)}, (18, 20)),
        ({"scale": 2.0, "shift": (0.0, 1.0)}, (7.5, 22.5)),
    ]:
        assert find_center(warp_one(dot, **motion)) == pytest.approx(place, abs=0.05), motion


def test_what_leaves_the_image_does_not_come_back():
    assert warp_one(make_dot(1, 1), shift=(-10.0, 0.0)).sum() == 0


def test_other_inputs_are_refused_with_their_shape_and_type(digits):
    for wrong, words in [
        (digits.images[:3], r"torch\.uint8 of shape \(3, 28, 28\)"),
        (torch.zeros(3, 784), r"torch\.float32 of shape \(3, 784\)"),
        (torch.zeros(3, 1, 28, 28, dtype=torch.float64), r"torch\.float64"),
    ]:
        with pytest.raises(ValueError, match=words):
            augment(wrong)


def test_batches_give_the_transformed_inputs_with_their_labels(digits):
    plain = list(digits.batches(500))
    turned = list(digits.batches(500, transform=lambda inputs: inputs.flip(2)))
    for (inputs, labels), (turned_inputs, turned_labels) in zip(plain, turned, strict=True):
        assert torch.equal(turned_inputs, inputs.flip(2))
        assert torch.equal(turned_labels, labels)


def test_augmented_batches_are_new_in_each_epoch_and_a_seed_repeats_them(digits):
    def list_epochs():
        generator = torch.Generator().manual_seed(1)
        batches = digits.batches(500, transform=partial(augment, generator=generator))
        return [torch.cat([inputs for inputs, _ in batches]) for _ in range(2)]

    first, second = list_epochs()
    assert not torch.equal(first, second)
    assert all(map(torch.equal, list_epochs(), [first, second]))


def test_a_transform_may_work_in_place(digits):
    before = digits.images.clone()
    inputs, _ = next(iter(digits.batches(5, transform=lambda inputs: inputs.zero_())))
    assert inputs.sum() == 0
    assert torch.equal(digits.images, before)


def test_torchvisions_transforms_fit(digits):
    moved = v2.RandomAffine(degrees=10, translate=(0.1, 0.1))
    inputs, _ = next(iter(digits.batches(50, transform=moved)))
    assert inputs.shape == (50, 1, 28, 28)


def test_what_a_transform_returns_is_checked(digits):
    def double(inputs):
        return inputs.double()

    for transform, words in [
        (double, r"double returned torch\.float64 of shape \(50, 1, 28, 28\)"),
        (v2.Resize(32), r"Resize returned torch\.float32 of shape \(50, 1, 32, 32\)"),
        (print, "print returned NoneType"),
    ]:
        with pytest.raises(ValueError, match=rf"{words}.* torch\.float32 .*\(50, 1, 28, 28\)"):
            next(iter(digits.batches(50, transform=transform)))


def test_batches_name_their_transform(digits):
    assert repr(digits.batches(500, transform=augment)).endswith("in order, changed by augment>")
    seeded = partial(augment, generator=torch.Generator())
    assert repr(digits.batches(500, transform=seeded)).endswith("changed by augment>")
    named = repr(digits.batches(500, transform=v2.RandomAffine(degrees=10)))
    assert named.endswith("changed by RandomAffine>")


def test_evaluating_transformed_batches_draws_no_global_random_numbers(digits):
    few = DigitSet(digits.images[:100], digits.labels[:100], digits.class_names, "few")
    state = torch.get_rng_state()
    model = mnist_widgets.SimpleNet(784, 10)
    torch.set_rng_state(state)
    Evaluator(few.batches(50, transform=augment)).evaluate(model, "cpu")
    assert torch.equal(torch.get_rng_state(), state)
