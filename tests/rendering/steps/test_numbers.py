"""Numbers as text: enough digits, and parts that add up."""

from __future__ import annotations

import math

import pytest
import torch
from recorded_steps import is_written

from mnist_widgets.rendering.steps.numbers import format_sum, format_value, format_weights


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (0.31, "0.3100"),
        (-12.4, "-12.40"),
        (1234.5, "1234"),
        (123456.0, "123456"),
        (9.99996, "10.000"),
        (0.0001, "0.0001000"),
        (3.1e-6, "3.100e-06"),
        (-2.5e7, "-2.500e+07"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_a_value_has_four_significant_digits(value, written):
    assert format_value(value) == written


def test_values_of_every_size_are_right_to_the_last_digit():
    for value in (torch.randn(1000) * 10 ** torch.randint(-12, 12, (1000,))).tolist():
        assert is_written(format_value(value), value)
        assert all(map(is_written, format_sum([value, 3 * value]), [value, 3 * value]))


def test_the_parts_of_a_sum_have_the_same_decimals():
    assert format_sum([1.23456, -0.00001, 0.1]) == ["1.2346", "0.0000", "0.1000"]
    assert format_sum([0.0, 0.0]) == ["0", "0"]
    assert format_sum([]) == []
    assert format_sum([1e-9, 2e-9]) == ["1.0000e-09", "2.0000e-09"]
    assert format_sum([math.nan, 1.0]) == ["nan", "1.0000"]


def test_a_change_of_a_weight_can_be_seen():
    assert format_weights([0.5, 0.499]) == ["0.50000", "0.49900"]
    assert format_weights([0.5, 0.4999999, 0.4989999]) == ["0.50000000", "0.49999990", "0.49899990"]
    assert format_weights([-0.02, -0.02]) == ["-0.02000", "-0.02000"]
    assert format_weights([0.0, 0.0]) == ["0", "0"]
    assert format_weights([math.nan, 1.0]) == ["nan", "1.000"]


def test_no_more_digits_of_a_weight_are_shown_than_float32_has():
    old, new = torch.tensor([0.5, 0.5 - 6e-8]).tolist()
    assert all(len(written.partition(".")[2]) <= 8 for written in format_weights([old, new]))
