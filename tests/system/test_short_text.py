"""Short text for what comes from elsewhere: long texts, callables."""

from __future__ import annotations

from functools import partial

from mnist_widgets.system.short_text import list_first, name_callable, shorten


def test_short_text_stays_and_becomes_one_line():
    assert shorten("my digits.json") == "my digits.json"
    assert shorten("a" * 60) == "a" * 60
    assert shorten(" two\n\tlines ") == "two lines"


def test_long_text_keeps_its_begin_and_its_end():
    short = shorten("begin " + "x" * 1_000 + ".json")
    assert (len(short), short[:6], short[-6:]) == (60, "begin ", "x.json")
    assert "..." in short
    assert len(shorten("x" * 50, 20)) == 20


def test_only_the_first_names_of_a_long_list_are_named():
    assert list_first([]) == ""
    assert list_first(["one", "two", "three"]) == "one, two, three"
    assert list_first(["one", "two", "three", "four"]) == "one, two, three, ..."
    assert list_first(["one", "two"], 1) == "one, ..."


def test_a_callable_has_the_name_of_its_function_or_its_class():
    class Scale:
        def __call__(self, number):
            return 2 * number

    for function, name in (
        (shorten, "shorten"),
        (Scale(), "Scale"),
        (partial(shorten, max_length=20), "shorten"),
        (partial(partial(Scale()), 3), "Scale"),
    ):
        assert name_callable(function) == name
