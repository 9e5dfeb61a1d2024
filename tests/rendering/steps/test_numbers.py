"""Numbers as text: enough digits, and parts that add up."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
import torch
from recorded_steps import is_written

from mnist_widgets.rendering.steps.numbers import (
    format_sum,
    format_value,
    format_weights,
    write_argument,
)


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
        written = format_sum([value], 3 * value)
        assert is_written(written.parts[0], value)
        assert is_written(written.total, 3 * value)


def test_the_parts_of_a_sum_have_the_same_decimals():
    assert format_sum([1.23456, -0.00001, 0.1], 1.4) == (
        ["1.2346", "0.0000", "0.1000"], "0.0654", "1.4000"
    )  # fmt: skip
    assert format_sum([0.0, 0.0], 0.0) == (["0", "0"], "0", "0")
    assert format_sum([], 0.0) == ([], "0", "0")
    written = format_sum([1e-9, 2e-11], 3e-9)
    assert written == (["1.0000e-09", "0.0200e-09"], "1.9800e-09", "3.0000e-09")
    assert format_sum([math.nan, 1.0], 1.0) == (["nan", "1.0000"], "nan", "1.0000")


def test_what_is_written_of_a_sum_adds_up_exactly():
    for _ in range(300):
        parts = (torch.randn(6) * 10.0 ** torch.randint(-3, 3, (6,))).double()
        parts *= 10.0 ** float(torch.randint(-14, 14, ()))
        written = format_sum(parts[:4].tolist(), float(parts.sum()))
        total = sum(map(Decimal, [*written.parts, written.rest]))
        assert total == Decimal(written.total), written
        # it takes what rounding took away of five numbers
        digit = 10.0 ** Decimal(written.total).as_tuple().exponent
        assert abs(float(written.rest) - float(parts[4:].sum())) <= 2.51 * digit


def test_the_rest_of_a_sum_is_named():
    written = format_sum([0.111104, 0.111104, 0.111104], 0.333312)
    assert written.name_rest(5, " inputs") == "the other 5 inputs"
    assert (written.rest, written.name_rest(0)) == ("0.00001", "rounding")
    assert format_sum([0.1, 0.2], 0.3).name_rest(0) == ""
    assert format_sum([math.nan], math.nan).name_rest(0) == ""


def test_the_logarithm_of_an_argument_is_the_loss_as_written():
    losses = [4.894e-8, 5993.0, 962.1, 1e-11, *torch.logspace(-11, 4, 500).tolist()]
    for loss in losses:
        argument = write_argument(loss)
        assert format_value(-float(Decimal(argument).ln())) == format_value(loss), argument
    assert write_argument(0.0) == "1.000"
    assert write_argument(1e-20) == write_argument(1e8) == ""


def test_a_change_of_a_weight_can_be_seen():
    assert format_weights([0.5, 0.499]) == ["0.50000", "0.49900"]
    assert format_weights([0.5, 0.4999999, 0.4989999]) == ["0.50000000", "0.49999990", "0.49899990"]
    assert format_weights([-0.02, -0.02]) == ["-0.02000", "-0.02000"]
    assert format_weights([0.0, 0.0]) == ["0", "0"]
    assert format_weights([math.nan, 1.0]) == ["nan", "1.000"]


def test_no_more_digits_of_a_weight_are_shown_than_float32_has():
    old, new = torch.tensor([0.5, 0.5 - 6e-8]).tolist()
    assert all(len(written.partition(".")[2]) <= 8 for written in format_weights([old, new]))
