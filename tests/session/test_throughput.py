"""The throughput is exact from the first batch on, and follows a change within seconds."""

from __future__ import annotations

import pytest

from mnist_widgets.session.throughput import Throughput


def test_before_the_first_batch_everything_is_zero():
    throughput = Throughput()
    assert throughput.seconds_per_batch == throughput.images_per_second == 0


def test_equal_batches_give_the_right_throughput_from_the_first_on():
    throughput = Throughput()
    for _ in range(500):
        throughput.add_batch(0.1, 64)
        assert throughput.seconds_per_batch == pytest.approx(0.1)
        assert throughput.images_per_second == pytest.approx(640)


def test_an_evaluation_in_each_epoch_counts_with_its_share():
    throughput, batches_per_epoch = Throughput(), 118
    for _ in range(10):
        for batch in range(batches_per_epoch):
            throughput.add_batch(0.315 if batch == batches_per_epoch - 1 else 0.015, 512)
    true_mean = 0.015 + 0.3 / batches_per_epoch
    assert throughput.seconds_per_batch == pytest.approx(true_mean, rel=0.15)
    assert throughput.images_per_second == pytest.approx(512 / true_mean, rel=0.15)


def test_a_new_throughput_soon_replaces_the_old_one():
    throughput = Throughput()
    for _ in range(1000):
        throughput.add_batch(0.1, 100)
    for _ in range(75):  # 15 seconds at the new throughput
        throughput.add_batch(0.2, 100)
    assert throughput.seconds_per_batch == pytest.approx(0.2, rel=0.02)


def test_batches_that_take_no_measurable_time_are_no_error():
    throughput = Throughput()
    throughput.add_batch(0.0, 8)
    assert throughput.images_per_second == 0
