"""Choices: the person's changes of a control reach its handler, the code's do not."""

import threading

import pytest
from ipywidgets import Dropdown

from mnist_widgets.widgets.parts.choices import on_choice, written_by_code


@pytest.fixture
def control():
    control = Dropdown(options=["a", "b", "c"])
    yield control
    control.close()


@pytest.fixture
def chosen(control):
    values = []
    on_choice(control, lambda change: values.append(change["new"]))
    return values


def choose_in_page(control, index):
    """Handle what the page sends when the person chooses an option."""
    control.set_state({"index": index})


def test_a_choice_in_the_page_reaches_the_handler(control, chosen):
    choose_in_page(control, 1)
    assert chosen == ["b"]


def test_what_the_code_writes_does_not_reach_the_handler(control, chosen):
    with written_by_code(control):
        control.value = "c"
        control.options = ["c", "d"]
    assert chosen == []
    choose_in_page(control, 1)
    assert chosen == ["d"]


def test_a_choice_that_arrives_while_another_thread_writes_reaches_the_handler(control, chosen):
    with written_by_code(control):
        thread = threading.Thread(target=choose_in_page, args=(control, 2))
        thread.start()
        thread.join()
    assert chosen == ["c"]


def test_writing_one_control_leaves_the_others_alone_and_may_be_nested(control, chosen):
    other = Dropdown(options=["x", "y"])
    with written_by_code(other):
        control.value = "b"
        with written_by_code(control):
            control.value = "c"
        control.value = "a"
    other.close()
    assert chosen == ["b", "a"]


def test_an_error_ends_the_writing(control, chosen):
    with pytest.raises(ZeroDivisionError), written_by_code(control):
        _ = 1 / 0
    control.value = "b"
    assert chosen == ["b"]
