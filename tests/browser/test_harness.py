"""The fixtures of the browser tests notice errors, and leave nothing for the next test."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest
from layout import set_window_size
from playwright.sync_api import expect
from shared_page import SharedPage
from watched_page import WatchedPage

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
    assert_only_problem_is(lab, "something broke")


def test_errors_in_click_handlers_are_noticed(lab):
    lab.open_notebook([CRASHING_BUTTON])
    lab.run_all()
    with lab.page.expect_console_message(lambda message: message.type == "error"):
        lab.page.get_by_role("button", name="Crash").click()
    assert_only_problem_is(lab, "crash in a handler")


def test_requests_to_other_servers_are_noticed_and_do_not_arrive(lab):
    lab.open_notebook(["1 + 1"])
    arrived = lab.page.evaluate("fetch('http://localhost:1/pixel.png').then(() => 1, () => 0)")
    assert not arrived
    with pytest.raises(AssertionError, match=r"to another server: http://localhost:1/pixel\.png"):
        lab.raise_problems()
    lab.problems.clear()


def test_failing_cells_are_noticed(lab):
    lab.open_notebook(["1 + 1", "1 / 0"])
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        lab.run_all()


def test_kernels_run_in_this_environment_with_their_own_home(lab):
    lab.open_notebook(["1 + 1"])
    lab.run_cell("import sys; from os import environ")
    executable = lab.run_cell("print(sys.executable, end='')")
    home, data = lab.run_cell("print(environ['HOME'], environ['MNIST_WIDGETS_DATA'])").split()
    assert executable == sys.executable
    assert Path(home) != Path.home()
    assert not list(Path(data).iterdir())


TRAINING_PANEL = """
import torch
from mnist_widgets import Trainer, TrainingSession
from mnist_widgets.widgets import TrainingPanel
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batch = torch.ones(1, 2), torch.ones(1, 2)
session = TrainingSession(Trainer(model, torch.nn.MSELoss(), optimizer, [batch]))
session.start(10**9)
TrainingPanel(session)
"""
REMAINS = """
import ipywidgets, threading
threads = {thread.name for thread in threading.enumerate()}
print("session" in globals(), len(ipywidgets.widgets.widget._instances), "training" in threads)
"""


def test_a_test_leaves_nothing_for_the_next(lab):
    window = lab.page.viewport_size
    lab.open_notebook([TRAINING_PANEL])
    kernel = lab.run_cell("import os; print(os.getpid())")
    lab.run_all()
    expect(lab.page.locator(".mw-training-panel .mw-state")).to_have_text("Training")
    assert lab.run_cell(REMAINS).endswith("True\n")
    lab.set_theme(dark=True)
    set_window_size(lab.page, 480, 480)
    lab.clean_up()
    expect(lab.page.locator(".mw-training-panel")).to_have_count(0)
    assert lab.run_cell("import os; print(os.getpid())") == kernel
    assert lab.run_cell(REMAINS) == "False 0 False\n"
    assert lab.page.evaluate("document.body.dataset.jpThemeName") == "JupyterLab Light"
    assert lab.page.viewport_size == window


def test_the_next_test_gets_the_same_page_unless_a_test_failed(browser, tmp_path):
    def open_page(screenshots):
        return WatchedPage(browser.new_page(), "http://127.0.0.1:1", screenshots)

    with closing(SharedPage(open_page)) as shared:
        with shared.use(tmp_path) as first:
            pass
        with shared.use(tmp_path) as same:
            same.has_failed = True
        with pytest.raises(AssertionError, match="broke"), shared.use(tmp_path) as second:
            second.page.evaluate("console.error('something broke')")
        with shared.use(tmp_path) as third:
            pass
    assert same is first
    assert len({first, second, third}) == 3
    assert first.page.is_closed()
    assert second.page.is_closed()
    assert third.page.is_closed()


def assert_only_problem_is(lab, text):
    with pytest.raises(AssertionError, match=text):
        lab.raise_problems()
    assert len(lab.problems) == 1
    lab.problems.clear()
