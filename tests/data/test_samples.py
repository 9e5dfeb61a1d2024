"""Samples and wrong labels of a `DigitSet`."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets import load_bundled_digits


@pytest.fixture(scope="module")
def digit_set():
    return load_bundled_digits()[0]


def test_a_sample_has_different_images_with_their_own_labels(digit_set):
    known = {
        (image.numpy().tobytes(), int(label))
        for image, label in zip(digit_set.images, digit_set.labels, strict=True)
    }
    drawn = digit_set.sample(200, seed=3)
    pairs = [
        (image.numpy().tobytes(), int(label))
        for image, label in zip(drawn.images, drawn.labels, strict=True)
    ]
    assert len(drawn) == 200
    assert set(pairs) <= known
    assert torch.equal(drawn.images, digit_set.sample(200, seed=3).images)
    assert not torch.equal(drawn.images, digit_set.sample(200, seed=4).images)
    assert torch.equal(digit_set.sample(50, seed=3).images, drawn.images[:50])


@pytest.mark.parametrize("share", [0, 0.2, 0.5, 1])
def test_exactly_the_share_is_wrong_and_it_is_known_which(digit_set, share):
    labels = digit_set.labels.clone()
    changed = digit_set.with_wrong_labels(share, seed=1)
    are_wrong = changed.labels != changed.original_labels
    assert int(are_wrong.sum()) == round(share * len(digit_set))
    assert torch.equal(changed.original_labels, labels)
    assert torch.equal(digit_set.labels, labels)
    assert torch.equal(changed.labels, digit_set.with_wrong_labels(share, seed=1).labels)
    assert set(changed.labels[are_wrong].tolist()) == (set(range(10)) if share else set())


def test_a_sample_keeps_what_is_known_of_wrong_labels(digit_set):
    drawn = digit_set.with_wrong_labels(1.0).sample(40)
    assert (drawn.labels != drawn.original_labels).all()


def test_a_sample_with_the_seed_of_the_wrong_labels_has_its_share_of_them(digit_set):
    for seed in range(5):
        drawn = digit_set.with_wrong_labels(0.2, seed).sample(280, seed)
        num_wrong = int((drawn.labels != drawn.original_labels).sum())
        assert 20 < num_wrong < 95, (seed, num_wrong)  # 56 on average


@pytest.mark.parametrize("num_images", [0, 1439, 1.5, True])
def test_a_sample_that_cannot_be_drawn_is_refused(digit_set, num_images):
    with pytest.raises(ValueError, match="Choose a whole number from 1 to 1,438"):
        digit_set.sample(num_images)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(digit_set, share):
    with pytest.raises(ValueError, match="from 0 to 1"):
        digit_set.with_wrong_labels(share)


def test_torchs_random_state_stays(digit_set):
    before = torch.get_rng_state()
    digit_set.sample(9).with_wrong_labels(0.5)
    assert torch.equal(torch.get_rng_state(), before)
