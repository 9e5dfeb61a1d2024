"""Which traits of a widget are sent to the page while the page writes it."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_widgets.widgets.parts.links import LinkedBars, LinkedHTML


@pytest.fixture
def make_linked(monkeypatch):
    """Return a function that makes a widget, and a list that grows by what it sends."""
    made = []

    def make(kind, **traits):
        widget, sent = kind(**traits), []
        made.append(widget)
        monkeypatch.setattr(widget, "_send", lambda message, **_: sent.append(message["state"]))
        return widget, sent

    yield make
    for widget in made:
        widget.close()


def test_what_the_page_writes_is_sent_neither_back_nor_as_an_echo(make_linked):
    html, sent = make_linked(LinkedHTML)
    html.set_state({"value": "new"})
    assert html.value == "new"
    bars, sent_by_bars = make_linked(LinkedBars, x=["a", "b"], y=np.zeros(2))
    bars.set_state({"y": [1.0, 0.5]})  # bqplot makes an array of it
    assert bars.y.tolist() == [1.0, 0.5]
    assert sent == sent_by_bars == []


def test_what_the_kernel_writes_is_sent(make_linked):
    html, sent = make_linked(LinkedHTML)
    html.value = "from the kernel"
    html.set_state({"value": "from the page"})
    html.value = "from the kernel again"
    assert [state["value"] for state in sent] == ["from the kernel", "from the kernel again"]


def test_other_traits_that_change_with_the_page_are_sent(make_linked):
    html, sent = make_linked(LinkedHTML)
    html.observe(lambda change: setattr(html, "placeholder", change["new"]), "value")
    html.set_state({"value": "new"})
    assert [set(state) for state in sent] == [{"placeholder"}]


def test_after_an_error_the_kernel_sends_again(make_linked):
    html, sent = make_linked(LinkedHTML)

    def fail(_change):
        raise RuntimeError("planted")

    html.observe(fail, "value")
    with pytest.raises(RuntimeError, match="planted"):
        html.set_state({"value": "new"})
    html.unobserve(fail, "value")
    html.value = "from the kernel"
    assert [state["value"] for state in sent] == ["from the kernel"]
