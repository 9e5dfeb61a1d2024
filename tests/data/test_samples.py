"""Samples and wrong labels of a `DigitSet`."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets import DigitSet, load_bundled_digits


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


@pytest.fixture(scope="module")
def large_set():
    """Return a set of 20,000 images of 10 classes, more than a run evaluates."""
    labels = torch.arange(20_000) % 10
    return DigitSet(torch.zeros(20_000, 28, 28, dtype=torch.uint8), labels, "0123456789", "large")


@pytest.mark.parametrize("seed", [0, 1, 2, 7, 2**31 - 1])
def test_draws_with_the_same_seed_are_independent(large_set, seed):
    def share_wrong(labels, originals):
        return (labels != originals).float().mean().item()

    noisy = large_set.with_wrong_labels(0.2, seed)
    assert share_wrong(noisy.labels, noisy.original_labels) == pytest.approx(0.2)
    for drawn in (
        noisy.sample(5_000, seed),
        noisy.sample(10_000, seed).sample(5_000, seed),
        large_set.sample(10_000, seed).with_wrong_labels(0.2, seed).sample(5_000, seed),
    ):
        # 0.2 +- 5 standard deviations
        assert share_wrong(drawn.labels, drawn.original_labels) == pytest.approx(0.2, abs=0.03)


def test_wrong_labels_are_drawn_anew_in_a_set_that_has_some(digit_set):
    noisy = digit_set.with_wrong_labels(0.5, seed=1)
    for share in (0.0, 0.3):
        changed = noisy.with_wrong_labels(share, seed=2)
        expected = digit_set.with_wrong_labels(share, seed=2)
        assert torch.equal(changed.labels, expected.labels)
        assert torch.equal(changed.original_labels, digit_set.labels)
