"""Functions to call after a change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress


class Listeners:
    """A list of functions without arguments; an error in one of them is logged."""

    def __init__(self) -> None:
        self._functions: list[Callable[[], None]] = []

    def __len__(self) -> int:
        """Return the number of functions."""
        return len(self._functions)

    def add(self, function: Callable[[], None]) -> None:
        """Call `function` after each change from now on."""
        self._functions.append(function)

    def remove(self, function: Callable[[], None]) -> None:
        """Stop calling `function`."""
        with suppress(ValueError):
            self._functions.remove(function)

    def call(self) -> None:
        """Call all functions, in this thread."""
        for function in tuple(self._functions):
            try:
                function()
            except Exception:  # it must not end what it observes
                logging.getLogger(__name__).exception("A listener failed")
