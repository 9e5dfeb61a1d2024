"""What the tests of the settings panel share."""

from __future__ import annotations

import pytest

from mnist_widgets.widgets import HyperparameterPanel


@pytest.fixture
def make_panel():
    """Return a function that makes a settings panel; the panels are closed at the end."""
    panels = []

    def make(*arguments, **options):
        panels.append(HyperparameterPanel(*arguments, **options))
        return panels[-1]

    yield make
    for panel in panels:
        panel.close()
