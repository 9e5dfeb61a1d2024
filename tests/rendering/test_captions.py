"""Errors in words: their type, and their message on one line; numbers that stay with their unit."""

from __future__ import annotations

from mnist_widgets.rendering.captions import name_error, to_html


def test_an_error_is_named_by_its_type_and_its_message():
    assert name_error(ValueError("too\nlarge")) == "ValueError: too large"
    assert name_error(ValueError()) == "ValueError."


def test_a_very_long_message_is_shortened():
    words = name_error(ValueError("begin " + "x" * 100_000 + " end"))
    assert len(words) < 330
    assert words.startswith("ValueError: begin ")
    assert words.endswith(" end")


def test_on_the_page_no_line_ends_between_a_number_and_its_per_cent_sign():
    assert to_html("7 with under 1 %, 71.4 % <all>") == "7 with under 1\xa0%, 71.4\xa0% &lt;all&gt;"
