"""A page that several tests share, so that it is loaded only once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from watched_page import WatchedPage

Watched = TypeVar("Watched", bound=WatchedPage)


class SharedPage(Generic[Watched]):
    """A page that one test after the other gets, as long as none fails.

    Args:
        open_page: opens a fresh page, given a folder for its screenshots.
    """

    def __init__(self, open_page: Callable[[Path], Watched]) -> None:
        self._open_page = open_page
        self._tidy: Watched | None = None

    @contextlib.contextmanager
    def lend(self, screenshots: Path) -> Iterator[Watched]:
        """Yield the page; afterwards raise its complaints and tidy it up, or close it."""
        watched, self._tidy = self._tidy or self._open_page(screenshots), None
        watched.screenshots = screenshots
        try:
            yield watched
            watched.raise_complaints()
            if not watched.has_failed:
                watched.tidy_up()
                watched.raise_complaints()
                self._tidy = watched
        finally:
            if self._tidy is None:
                watched.page.context.close()

    def close(self) -> None:
        """Close the page."""
        if self._tidy is not None:
            self._tidy.page.context.close()
