"""Shared by the tests of the checks: each test starts with the first hint of every mistake."""

from __future__ import annotations

import pytest

from mnist_widgets.exercises import start_over


@pytest.fixture(autouse=True)
def fresh_hints():
    start_over()
    yield
    start_over()
