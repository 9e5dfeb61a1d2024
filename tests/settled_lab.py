"""Wait until a lab stands still: what was requested is done, predicted and drawn."""

from __future__ import annotations

from mnist_widgets.widgets.publishing import publisher

TIMEOUT_S = 30


def settle(lab) -> None:
    """Wait until everything requested of a lab has taken effect, is predicted and drawn."""
    lab.session.between_batches(lambda: None).result(TIMEOUT_S)
    lab.session.in_portions(_no_portion).result(TIMEOUT_S)  # comes after the jobs that wait
    publisher.flush()


def _no_portion():
    yield from ()
