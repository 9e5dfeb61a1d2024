"""A page that several tests share, so that it is loaded only once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from watched_page import WatchedPage

Watched = TypeVar("Watched", bound=WatchedPage)


class SharedPage(Generic[Watched]):
    """A page that one test after the other uses, until a test fails.

    Args:
        open_page: opens a new page, given a folder for its screenshots.
    """

    def __init__(self, open_page: Callable[[Path], Watched]) -> None:
        self._open_page = open_page
        self._clean: Watched | None = None

    @contextlib.contextmanager
    def use(self, screenshots: Path) -> Iterator[Watched]:
        """Yield the page; afterwards raise its problems and clean it up, or close it."""
        watched, self._clean = self._clean or self._open_page(screenshots), None
        watched.screenshots = screenshots
        try:
            yield watched
            watched.raise_problems()
            if not watched.has_failed:
                watched.clean_up()
                watched.raise_problems()
                self._clean = watched
        finally:
            if self._clean is None:
                watched.page.context.close()

    def close(self) -> None:
        """Close the page."""
        if self._clean is not None:
            self._clean.page.context.close()
