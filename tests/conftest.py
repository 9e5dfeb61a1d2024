"""What all tests share: a fixed seed, a tiny problem, clean-up, and an eye on swallowed errors."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

import hypothesis
import pytest
import torch
from torch import nn

from mnist_widgets import Trainer
from mnist_widgets.session.open_sessions import list_sessions

# A test that passes only at one speed is a defect: no example of Hypothesis has a deadline.
hypothesis.settings.register_profile("any speed", deadline=None)
hypothesis.settings.load_profile("any speed")


@pytest.fixture(autouse=True, scope="session")
def interrupts_reach_python():
    """Let SIGINT raise here and in child processes, even where the parent process ignores it."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def nothing_stays_open():
    """Close each session and widget that a test opened, and restore the state of the process.

    A test that fails before its own clean-up must not make others fail.
    """
    ipywidgets = sys.modules.get("ipywidgets.widgets.widget")
    sessions_before = set(list_sessions())
    widgets_before = set(ipywidgets._instances) if ipywidgets else set()
    handler = signal.getsignal(signal.SIGINT)
    environment = dict(os.environ)
    dtype, num_threads = torch.get_default_dtype(), torch.get_num_threads()
    yield
    for session in set(list_sessions()) - sessions_before:
        session.close()
    if ipywidgets := sys.modules.get("ipywidgets.widgets.widget"):
        for name in set(ipywidgets._instances) - widgets_before:
            if widget := ipywidgets._instances.get(name):
                widget.close()
    if drawing_set := sys.modules.get("mnist_widgets.widgets.parts.drawing.drawing_set"):
        drawing_set.kept_sets.clear()
    if signal.getsignal(signal.SIGINT) is not handler:
        signal.signal(signal.SIGINT, handler)
    os.environ.clear()
    os.environ.update(environment)
    torch.set_default_dtype(dtype)
    if torch.get_num_threads() != num_threads:
        torch.set_num_threads(num_threads)


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Let every test begin with the same random numbers."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Let nothing answer but this machine: other requests go to a proxy that is not there."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    monkeypatch.setattr("urllib.request._opener", None)  # urlopen keeps the first proxies it sees


@pytest.fixture(autouse=True)
def no_swallowed_errors(caplog):
    """Fail on what is only logged: an error in a click handler, a redraw or a listener."""
    yield
    if redraws := sys.modules.get("mnist_widgets.widgets.redraws"):
        redraws.scheduler.flush()
    swallowed = [
        record
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING
        and record.name.partition(".")[0] in {"traitlets", "mnist_widgets"}
    ]
    assert not swallowed, "\n".join(record.getMessage() for record in swallowed)


@pytest.fixture
def float64_by_default():
    """Let new tensors be float64, as some numerical code sets it, until the test ends."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def batches():
    """Five batches of eight random 4-number inputs in three classes."""
    return [(torch.randn(8, 4), torch.randint(0, 3, (8,))) for _ in range(5)]


@pytest.fixture
def make_trainer(batches):
    """Return a function that makes a `Trainer` of a linear model over `batches`."""

    def make(**options) -> Trainer:
        model = options.pop("model") if "model" in options else nn.Linear(4, 3)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        train_batches = options.pop("train_batches", batches)
        options.setdefault("device", "cpu")
        return Trainer(model, nn.CrossEntropyLoss(), optimizer, train_batches, **options)

    return make
