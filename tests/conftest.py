"""What all tests share: a fixed seed, a tiny problem, and an eye on swallowed errors."""

from __future__ import annotations

import logging
import sys

import pytest
import torch
from torch import nn

from mnist_widgets import Trainer


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
    if publishing := sys.modules.get("mnist_widgets.widgets.publishing"):
        publishing.publisher.flush()
    swallowed = [
        record
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING
        and record.name.partition(".")[0] in {"traitlets", "mnist_widgets"}
    ]
    assert not swallowed, "\n".join(record.getMessage() for record in swallowed)


@pytest.fixture
def batches():
    """Five batches of eight random 4-number inputs in three classes."""
    return [(torch.randn(8, 4), torch.randint(0, 3, (8,))) for _ in range(5)]


@pytest.fixture
def make_trainer(batches):
    """Return a function that makes a `Trainer` of a linear model over `batches`."""

    def make(**options) -> Trainer:
        model = options.pop("model", None)
        model = nn.Linear(4, 3) if model is None else model  # a compiled one has no truth value
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        train_batches = options.pop("train_batches", batches)
        options.setdefault("device", "cpu")
        return Trainer(model, nn.CrossEntropyLoss(), optimizer, train_batches, **options)

    return make
