"""Errors in words: their type, and their message on one line of limited length."""

from __future__ import annotations

from mnist_widgets.rendering.captions import name_error


def test_an_error_is_named_by_its_type_and_its_message():
    assert name_error(ValueError("too\nlarge")) == "ValueError: too large"
    assert name_error(ValueError()) == "ValueError."


def test_a_very_long_message_is_shortened():
    words = name_error(ValueError("begin " + "x" * 100_000 + " end"))
    assert len(words) < 330
    assert words.startswith("ValueError: begin ")
    assert words.endswith(" end")
