"""Call functions after a change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress


class HasListeners:
    """A base class of what calls functions without arguments after each change of its data."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change, in the thread that makes it.

        It must return at once: it notes that something may have changed, and reads it later.
        """
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[], None]) -> None:
        """Stop calling `listener`."""
        with suppress(ValueError):
            self._listeners.remove(listener)

    def call_listeners(self) -> None:
        """Call all listeners in this thread, and log their errors."""
        for listener in tuple(self._listeners):
            try:
                listener()
            except Exception:  # it must not end what it observes
                logging.getLogger(__name__).exception("A listener failed")
