"""How fast a training goes: exact at first, forgetful later."""

from __future__ import annotations

import pytest

from mnist_widgets.pace import Pace


def test_before_the_first_batch_everything_is_zero():
    pace = Pace()
    assert pace.seconds_per_batch == pace.images_per_batch == pace.images_per_second == 0


def test_the_first_batches_count_alike():
    pace = Pace(memory_s=1000)
    for duration_s, num_images in ((0.1, 8), (0.2, 8), (0.6, 2)):
        pace.add_batch(duration_s, num_images)
    assert pace.seconds_per_batch == pytest.approx(0.3)
    assert pace.images_per_batch == pytest.approx(6)
    assert pace.images_per_second == pytest.approx(18 / 0.9)


def test_after_memory_s_an_old_pace_counts_about_a_third():
    pace = Pace(memory_s=3)
    for _ in range(1000):
        pace.add_batch(0.1, 100)
    assert pace.seconds_per_batch == pytest.approx(0.1)
    for _ in range(15):  # 3 seconds at the new pace
        pace.add_batch(0.2, 100)
    assert 0.2 - pace.seconds_per_batch == pytest.approx(0.1 * 0.368, rel=0.01)
    assert pace.images_per_batch == pytest.approx(100)


def test_one_long_batch_says_more_than_a_hundred_short_ones_before_it():
    pace = Pace(memory_s=3)
    for _ in range(100):
        pace.add_batch(0.001, 100)
    pace.add_batch(30, 100)
    assert pace.seconds_per_batch == pytest.approx(30, rel=0.001)


def test_batches_too_quick_for_the_clock_do_no_harm():
    pace = Pace()
    pace.add_batch(0.0, 8)
    assert pace.images_per_second == 0
    assert pace.images_per_batch == 8
