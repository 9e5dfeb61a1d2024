"""Errors in words: their type, and their message on one line; numbers that stay with their unit."""

from __future__ import annotations

from mnist_widgets import History
from mnist_widgets.rendering.captions import name_error, to_html
from mnist_widgets.rendering.session_captions import describe_expectation


def test_an_error_is_named_by_its_type_and_its_message():
    assert name_error(ValueError("too\nlarge")) == "ValueError: too large"
    assert name_error(ValueError()) == "ValueError."


def test_a_very_long_message_is_shortened():
    words = name_error(ValueError("begin " + "x" * 100_000 + " end"))
    assert len(words) < 330
    assert words.startswith("ValueError: begin ")
    assert words.endswith(" end")


def test_an_expectation_is_compared_with_the_last_epoch_that_was_evaluated():
    history = History()
    for metrics in ({}, {"test_accuracy": 0.8}, {}):
        history.add_epoch(1.0, metrics)
    assert describe_expectation(0.9, history) == "You expected 90 %; it is 80.0 % after epoch 2."
    history.add_epoch(1.0, {"test_accuracy": 0.95})
    assert describe_expectation(0.9, history) == "You expected 90 %; it is 95.0 %."
    assert "no epoch was evaluated" in describe_expectation(0.9, History())


def test_on_the_page_no_line_ends_between_a_number_and_its_per_cent_sign():
    assert to_html("7 with under 1 %, 71.4 % <all>") == "7 with under 1\xa0%, 71.4\xa0% &lt;all&gt;"
