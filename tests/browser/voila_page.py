"""A notebook as a page of Voila, which JupyterLab's server serves too.

The page shows no code and runs none, so a test sees what a visitor sees.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import quote

from lab import LabServer
from playwright.sync_api import Page
from watched_page import WatchedPage

# Voila's page has these problems whatever the notebook: it loads icons and MathJax from the web,
# which the panels do not need, and JupyterLab extensions that do not fit.
KNOWN_PROBLEMS = re.compile(
    r"https://cdn\.jsdelivr\.net/npm/@fortawesome/"
    r"|https://cdnjs\.cloudflare\.com/ajax/libs/mathjax/"
    r"|^console error: Error: [^\n]*\bshared module\b",
    re.IGNORECASE,
)


class VoilaPage(WatchedPage):
    """A page that Voila makes of a notebook.

    Args:
        page: a new page; the caller closes it.
        server: a running server.
        screenshots: the folder for `screenshot`.
    """

    def __init__(self, page: Page, server: LabServer, screenshots: Path) -> None:
        super().__init__(page, server.address, screenshots)
        self._server = server

    def open_notebook(self, source: Path) -> None:
        """Open a copy of a notebook in Voila, and wait until it shows all cells."""
        shutil.copy(source, self._server.notebooks)
        path = f"voila/render/{quote(source.name)}"
        self.page.goto(f"{self._server.address}/{path}?token={self._server.token}")
        self.page.locator("#rendered_cells").wait_for()

    def _add_problem(self, problem: str) -> None:
        if not KNOWN_PROBLEMS.search(problem):
            super()._add_problem(problem)
