"""A harness that cannot fail proves nothing: it notices what it is there to notice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

CRASHING_BUTTON = """
import ipywidgets

def crash(button):
    raise ValueError("crash in a handler")

button = ipywidgets.Button(description="Crash")
button.on_click(crash)
button
"""


def test_console_errors_are_noticed(lab):
    lab.open_notebook(["1 + 1"])
    lab.page.evaluate("console.error('something broke')")
    assert_only_complaint_is_about(lab, "something broke")


def test_errors_in_click_handlers_are_noticed(lab):
    lab.open_notebook([CRASHING_BUTTON])
    lab.run_all()
    with lab.page.expect_console_message(lambda message: message.type == "error"):
        lab.page.get_by_role("button", name="Crash").click()
    assert_only_complaint_is_about(lab, "crash in a handler")


def test_requests_off_the_server_are_noticed_and_do_not_arrive(lab):
    lab.open_notebook(["1 + 1"])
    arrived = lab.page.evaluate("fetch('http://localhost:1/pixel.png').then(() => 1, () => 0)")
    assert not arrived
    with pytest.raises(AssertionError, match=r"off the server: http://localhost:1/pixel\.png"):
        lab.raise_complaints()
    lab.complaints.clear()


def test_failing_cells_are_noticed(lab):
    lab.open_notebook(["1 + 1", "1 / 0"])
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        lab.run_all()


def test_kernels_run_in_this_environment_and_in_a_home_of_their_own(lab):
    lab.open_notebook(["1 + 1"])
    lab.run_cell("import sys; from os import environ")
    executable = lab.run_cell("print(sys.executable, end='')")
    home, data = lab.run_cell("print(environ['HOME'], environ['MNIST_WIDGETS_DATA'])").split()
    assert executable == sys.executable
    assert Path(home) != Path.home()
    assert not list(Path(data).iterdir())


def assert_only_complaint_is_about(lab, text):
    with pytest.raises(AssertionError, match=text):
        lab.raise_complaints()
    assert len(lab.complaints) == 1
    lab.complaints.clear()
