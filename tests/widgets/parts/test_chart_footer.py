"""The line below a chart: what it answers when the page asks for a file."""

from __future__ import annotations

import pytest

from mnist_widgets.widgets.parts.chart_footer import ChartFooter


@pytest.fixture
def make_footer(monkeypatch):
    """Return a function that makes a footer, and a list that grows by what it sends."""
    made = []

    def make(on_save):
        footer, sent = ChartFooter("Chart", on_save), []
        made.append(footer)
        monkeypatch.setattr(footer, "send", lambda *message: sent.append(message))
        return footer, sent

    yield make
    for footer in made:
        footer.close()


def ask(footer, ending):
    """Send what the page sends when a file is chosen in the menu."""
    footer._handle_custom_msg({"save": ending, "id": f"view 1, {ending}"}, [])


def test_a_request_is_answered_with_the_file(make_footer):
    footer, sent = make_footer(lambda ending: f"content of a {ending}".encode())
    for ending in ("png", "csv"):
        ask(footer, ending)
    assert sent == [
        ({"save": "png", "id": "view 1, png"}, [b"content of a png"]),
        ({"save": "csv", "id": "view 1, csv"}, [b"content of a csv"]),
    ]


def test_a_file_that_cannot_be_made_is_answered_with_the_reason(make_footer):
    def fail(_ending):
        raise OSError("the planted error")

    footer, sent = make_footer(fail)
    ask(footer, "png")
    [(answer,)] = sent
    assert "the planted error" in answer["error"]
    assert answer["id"] == "view 1, png"
    assert "save" not in answer


def test_neither_the_table_that_the_page_opens_nor_its_caption_is_echoed(make_footer, monkeypatch):
    footer, _ = make_footer(lambda _ending: b"")
    sent, opened = [], []
    monkeypatch.setattr(footer, "_send", lambda message, **_: sent.append(message))
    footer.observe(lambda change: opened.append(change["new"]), "shows_data")
    footer.set_state({"shows_data": True, "caption": "True 7."})  # as a footer sends both
    assert (opened, footer.caption) == ([True], "True 7.")
    assert sent == []
