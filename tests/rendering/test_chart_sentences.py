"""What charts say: the trend of a loss, a matrix and a page of images in words."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from counting_list import CountingList

from mnist_widgets import History
from mnist_widgets.rendering.chart_sentences import (
    describe_confusion,
    describe_losses,
    describe_page,
)
from mnist_widgets.rendering.curves.loss_series import LossSeries

DIGITS = "0123456789"


def describe(losses, *epochs, smoothing=0.8, is_log=False):
    """Return the sentence for batch losses, with `(number of batches, test loss)` of epochs."""
    history = History()
    history.batch_losses.extend(map(float, losses))
    for num_batches, test_loss in epochs:
        history.add_epoch(1.0, {} if test_loss is None else {"test_loss": test_loss})
        history.epoch_ends[-1] = num_batches
    return describe_losses(LossSeries(history, smoothing, is_log))


def noisy(means, share, seed=0):
    return means * np.random.default_rng(seed).normal(1, share, len(means))


def falling(num_batches, decay=6):
    """Fall steadily from 2.3."""
    return 2.3 * np.exp(-np.linspace(0, decay, num_batches))


def test_a_fall_has_its_first_and_its_last_losses():
    flat = np.full(300, 0.21)
    losses = np.concatenate([np.geomspace(2.3, 0.21, 100), flat])
    words = describe(losses)
    begin, _, end = words.partition(" (mean of the last batches) ")
    assert begin == "Loss fell from 2.30 to 0.210"
    assert end.startswith("in 400 batches; nearly flat since batch ")
    since = int(words.removesuffix(".").rpartition(" ")[2])
    assert 90 <= since <= 130


def test_a_steady_fall_is_not_called_flat():
    for num_batches in (10, 20, 50, 100, 500, 5_000, 50_000):
        for decay in (0.2, 1, 3, 6):
            words = describe(falling(num_batches, decay))
            assert words.startswith("Loss fell from 2.30 to "), words
            assert "flat" not in words, (num_batches, decay)
            assert "est near" not in words, (num_batches, decay)


def test_losses_that_rise_are_said_to_rise():
    assert describe(np.linspace(1, 3, 200)).startswith("Loss rose from 1.00 to 2.9")
    assert describe(np.geomspace(2.3, 1e9, 200)).startswith("Loss rose from 2.30 to 6.64e+08 (")


def test_losses_that_stay_are_said_to_stay():
    for losses in ([2.3] * 50, noisy(np.full(400, 0.05), 0.4), np.linspace(2.3, 2.25, 30)):
        words = describe(losses)
        assert words.startswith("Loss hardly changed in "), words
        assert "flat" not in words


@pytest.mark.parametrize("num_batches", [10, 20, 50, 200, 1000])
def test_noise_alone_seldom_makes_a_trend(num_batches):
    for share in (0.2, 0.4):
        sentences = [describe(noisy(np.full(num_batches, 0.3), share, seed)) for seed in range(100)]
        num_trends = sum("hardly changed" not in words for words in sentences)
        assert num_trends <= 5


@pytest.mark.parametrize("num_batches", [20, 50, 200])
def test_noise_hides_no_clear_trend(num_batches):
    for decay, verb in ((1, "fell"), (-1, "rose")):
        sentences = [describe(noisy(falling(num_batches, decay), 0.2, seed)) for seed in range(100)]
        assert sum(words.startswith(f"Loss {verb} ") for words in sentences) >= 95


def test_neither_a_spike_nor_an_explosion_hides_a_trend():
    spike = noisy(falling(220, 2), 0.1)
    spike[100] = 500
    assert describe(spike).startswith("Loss fell from 2.")
    for num_batches in (10, 12, 20):
        assert describe(np.geomspace(1, 1e9, num_batches)).startswith("Loss rose from 1.00 to ")


def test_the_first_batch_alone_makes_no_trend():
    losses = noisy(np.full(400, 0.05), 0.3)
    for first in (0.03, 0.07):
        losses[0] = first
        assert "hardly changed" in describe(losses)
    losses[0] = 2.3  # but this is no accident
    assert describe(losses).startswith("Loss fell from 2.30 to 0.0")


def test_a_peak_and_a_valley_between_are_named():
    peak = np.concatenate([[2.3], np.full(20, 60.0), np.geomspace(2.0, 0.3, 200)])
    assert "fell from 2.30 to 0.3" in describe(peak)
    assert "highest near batch " in describe(peak)
    valley = np.concatenate([np.geomspace(2.3, 0.1, 100), np.geomspace(0.1, 1.2, 100)])
    words = describe(valley)
    assert "fell from 2.30 to 1." in words
    assert "; lowest near batch 110, 0.112 on average" in words
    back = np.concatenate([np.full(40, 2.3), np.full(40, 30.0), np.full(40, 2.3)])
    assert "highest near batch" in describe(back)


def test_noise_alone_makes_no_peak_and_no_valley():
    generator = np.random.default_rng(0)
    for num_batches in (100, 1_000, 20_000):
        losses = generator.exponential(0.4, num_batches)  # as in batches of a single image
        losses[0] = 2.3
        words = describe(losses)
        assert words.startswith("Loss fell from 2.30 to 0."), words
        assert "est near" not in words, words


def test_a_few_batches_have_no_trend():
    assert describe([]) == "No batch has been trained yet."
    assert describe([2.5]) == "Batch 1: loss 2.50."
    assert describe([2.5, 0.1]) == "Batch 2: loss 0.100."


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_diverged_training_says_when_and_what_was_before(bad):
    words = describe([*np.geomspace(2.3, 1e6, 40), bad, bad])
    assert words.startswith("Loss rose from 2.30 to ")
    assert "in 40 batches" in words
    assert words.endswith(f"The loss is no number any more ({bad}), first in batch 41.")
    assert describe([bad]) == f"The loss is no number any more ({bad}), first in batch 1."
    assert describe([2.3, bad]).startswith("Batch 1: loss 2.30. The loss is no number")


def test_a_single_loss_without_a_number_does_not_hide_the_trend():
    words = describe([math.inf, *falling(100), math.nan, *np.full(100, 0.005)])
    assert words.startswith("Loss fell from 2.30 to 0.005")
    assert words.endswith(" No number for a loss, first in batch 1.")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("num_numbers", [1, 4, 9])
def test_a_few_losses_among_many_without_a_number_have_no_trend(num_numbers):
    words = describe([*[math.nan] * 30, *np.full(num_numbers, 0.5)])
    expected = f"Batch {30 + num_numbers}: loss 0.500. No number for a loss, first in batch 1."
    assert words == expected


def test_the_sentence_depends_neither_on_smoothing_nor_on_scale():
    losses = [*noisy(falling(300), 0.1), 0.0, *np.full(50, 0.006)]
    sentences = {
        describe(losses, smoothing=smoothing, is_log=is_log)
        for smoothing in (0, 0.8, 0.99)
        for is_log in (False, True)
    }
    assert len(sentences) == 1


def test_the_last_test_loss_is_named_and_a_lower_one_before():
    losses = falling(100)
    assert describe(losses, (50, 0.5), (100, 0.4)).endswith(" Test loss 0.400 after epoch 2.")
    words = describe(losses, (30, 0.5), (60, 0.4), (100, 0.6))
    assert words.endswith("Test loss 0.600 after epoch 3; lowest after epoch 2, at 0.400.")
    assert "lowest after" not in describe(losses, (50, 0.40), (100, 0.41))
    assert "Test loss" not in describe(losses, (50, 0.5), (100, math.nan))
    words = describe(losses, (20, None), (30, 0.5), (40, None), (50, 0.6), (100, None))
    assert words.endswith("Test loss 0.600 after epoch 4; lowest after epoch 2, at 0.500.")
    # a metric that was added later
    assert describe(losses, (50, math.nan), (100, 0.5)).endswith("Test loss 0.500 after epoch 2.")


def test_long_trainings_are_described_by_as_few_numbers_as_short_ones():
    history = History()
    history.batch_losses = CountingList(falling(200_000).tolist())
    series = LossSeries(history)
    history.batch_losses.num_read = 0
    assert "in 200,000 batches" in describe_losses(series)
    assert history.batch_losses.num_read < 9_000


def matrix(size=3, **mistakes):
    """Return 100 images of each class, minus mistakes such as `m01=3`: 0 taken for 1."""
    counts = 100 * torch.eye(size, dtype=torch.int64)
    for name, number in mistakes.items():
        true, predicted = map(int, name[1:])
        counts[true, predicted] += number
        counts[true, true] -= number
    return counts


def test_a_matrix_says_its_accuracy_its_worst_mistake_and_its_worst_class():
    assert describe_confusion(matrix(m21=12, m02=5, m01=9), "abc", "class") == (
        "Accuracy 91.3 %: 274 of 300 right. Hardest class: a, 86.0 % recognized, most often taken "
        "for b. Most common mistake: c taken for b, 12 times."
    )


def test_a_matrix_without_mistakes_has_only_its_accuracy():
    assert describe_confusion(matrix(), DIGITS, "digit") == "Accuracy 100 %: 300 of 300 right."


@pytest.mark.parametrize("nothing", [None, torch.zeros(3, 3, dtype=torch.int64)])
def test_without_an_evaluation_a_matrix_says_so(nothing):
    assert describe_confusion(nothing, "abc", "class").startswith("Nothing has been evaluated yet")


def test_of_equal_mistakes_and_classes_none_is_singled_out():
    words = describe_confusion(matrix(m01=1, m20=1), DIGITS, "digit")
    assert "Most common mistakes: 0 taken for 1 and 2 taken for 0, once each." in words
    assert "Hardest digits: 0 and 2, 99.0 % recognized." in words
    all_for_one = torch.zeros(4, 4, dtype=torch.int64)
    all_for_one[:, 0] = 50
    words = describe_confusion(all_for_one, "abcd", "class")
    assert "Most common mistakes: b taken for a (and 2 others), 50 times each." in words
    assert "Hardest classes: b (and 2 others), 0 % recognized." in words


def test_a_class_without_images_is_not_the_hardest():
    counts = matrix(m01=3)
    counts[2] = 0
    assert "Hardest class: a, 97.0 % recognized, " in describe_confusion(counts, "abc", "class")


def test_a_page_counts_its_verdicts_or_says_why_there_are_none():
    for verdicts, sentences, words in (
        (["right", "wrong", "right"], "xyz", "Page 1: 2 right, 1 wrong."),
        (
            ["right", "", "wrong"],
            ["x", "", "z"],
            "Page 1: 1 right, 1 wrong, 1 without a prediction.",
        ),
        (["", ""], ["", ""], "Page 1. The network has not predicted these images yet."),
        (["", ""], "xy", "Page 1. The network's outputs are no numbers any more (nan)."),
    ):
        assert describe_page("Page 1", verdicts, sentences) == words
