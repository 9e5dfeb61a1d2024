"""Text from elsewhere becomes one short line, which keeps its begin and its end."""

from __future__ import annotations

from mnist_widgets.system.short_text import shorten


def test_short_text_stays_and_becomes_one_line():
    assert shorten("my digits.json") == "my digits.json"
    assert shorten("a" * 60) == "a" * 60
    assert shorten(" two\n\tlines ") == "two lines"


def test_long_text_keeps_its_begin_and_its_end():
    short = shorten("begin " + "x" * 1_000 + ".json")
    assert (len(short), short[:6], short[-6:]) == (60, "begin ", "x.json")
    assert "..." in short
    assert len(shorten("x" * 50, 20)) == 20
