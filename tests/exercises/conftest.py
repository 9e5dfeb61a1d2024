"""What the tests of the checks share: no hint is remembered from one test to the next."""

from __future__ import annotations

import pytest

from mnist_widgets.exercises import start_over


@pytest.fixture(autouse=True)
def fresh_hints():
    start_over()
    yield
    start_over()
