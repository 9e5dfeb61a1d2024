"""A verdict shows the same in a terminal and on a card, and escapes a student's text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from mnist_widgets.exercises import Detail, Verdict

FAILED = Verdict(
    passed=False,
    hint="Look at `optimizer.step()`: expected 1 < 2.",
    details=(
        Detail("It can be called", passed=True, numbers="a first loss of 1.0310"),
        Detail("The weights move", passed=False, numbers="expected 0.5, found <b>0.1</b>"),
        Detail("It returns a float"),
    ),
    exercise="check_train_step",
    mistake="forgot_step",
    hint_number=2,
    num_hints=3,
)
PASSED = Verdict(passed=True, details=FAILED.details[:1], exercise="check_train_step")


class Reader(HTMLParser):
    """Reads a card as a screen reader does: its text, without what is hidden from it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.tags, self.spoken, self.attributes = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append(dict(attrs))
        if tag != "br":
            self.open.append(dict(attrs))

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        if not any(attrs.get("aria-hidden") == "true" for attrs in self.open):
            self.spoken.append(data)


def read(verdict) -> Reader:
    reader = Reader(verdict._repr_html_())
    assert not reader.open, "every element is closed"
    return reader


def test_a_verdict_is_true_if_it_passed():
    assert PASSED
    assert not FAILED


def test_in_a_terminal_words_say_what_passed():
    lines = str(FAILED).splitlines()
    assert lines[0] == "check_train_step: not passed yet, 1 of 3 criteria met"
    assert lines[1] == "passed      It can be called: a first loss of 1.0310"
    assert lines[2] == "not passed  The weights move: expected 0.5, found <b>0.1</b>"
    assert lines[3] == "not reached It returns a float"
    assert lines[4] == "Hint 2 of 3: Look at `optimizer.step()`: expected 1 < 2."
    assert repr(FAILED) == str(FAILED)


def test_long_lines_are_wrapped_in_a_terminal():
    verdict = Verdict(passed=False, hint="word " * 60, details=(Detail("claim " * 40),))
    assert max(map(len, str(verdict).splitlines())) <= 88


def test_a_verdict_in_a_terminal_is_ascii():
    assert str(FAILED).isascii()


@pytest.mark.parametrize("verdict", [PASSED, FAILED])
def test_the_card_says_the_same_in_words(verdict):
    spoken = " ".join("".join(read(verdict).spoken).split())
    for detail in verdict.details:
        assert detail.criterion in spoken
        assert detail.numbers in spoken
        assert {None: "not reached", True: "passed", False: "not passed"}[detail.passed] in spoken
    assert verdict.hint.replace("`", "") in spoken
    assert ("not passed yet" in spoken) != verdict.passed


def test_an_unsolved_task_is_no_failure():
    verdict = Verdict(False, "Go on.", (Detail("It runs"),), "check_scores", "unsolved", 1, 1)
    assert str(verdict).splitlines() == [
        "check_scores: not solved yet, 0 of 1 criteria met",
        "not reached It runs",
        "Hint: Go on.",
    ]
    assert "✗" not in verdict._repr_html_()


def test_symbols_and_colours_only_add_to_words():
    reader = read(FAILED)
    html = FAILED._repr_html_()
    assert all(symbol in html for symbol in "✓✗")
    assert not any(symbol in "".join(reader.spoken) for symbol in "✓✗")
    assert "not passed: The weights move" in "".join(reader.spoken).replace("  ", " ")


def test_colours_follow_the_theme_and_have_a_default():
    styles = " ".join(attrs.get("style", "") for attrs in read(FAILED).attributes)
    assert "var(--jp-content-font-color1, inherit)" in styles
    assert styles.count("var(--") == styles.count(", inherit)") + styles.count(
        ", #"
    ) + styles.count(", sans-serif)") + styles.count(", 13px)")


def test_students_text_is_escaped():
    nasty = "<script>alert('boo')</script> & \"quotes\""
    verdict = Verdict(False, nasty, (Detail(nasty, False, nasty),), nasty, "raises", 1, 1)
    reader = read(verdict)
    assert "script" not in reader.tags
    assert "".join(reader.spoken).count(nasty) == 4
    assert reader.attributes[0]["aria-label"].startswith(nasty)


def test_names_in_backticks_are_code():
    assert "<code>optimizer.step()</code>" in FAILED._repr_html_()
