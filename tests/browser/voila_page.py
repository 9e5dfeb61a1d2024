"""A notebook as a page of Voila, which the server of JupyterLab serves too: `VoilaPage`.

There is no code to be seen, none to be run, and no way to ask the kernel: a test sees what a
visitor sees.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import quote

from lab import LabServer
from playwright.sync_api import Page
from watched_page import WatchedPage

# What Voila's page complains of, whatever the notebook: it asks the web for icons and for MathJax,
# which our panels do without, and loads all that extends JupyterLab, fitting or not.
EXCUSED = re.compile(
    r"https://cdn\.jsdelivr\.net/npm/@fortawesome/"
    r"|https://cdnjs\.cloudflare\.com/ajax/libs/mathjax/"
    r"|^console error: Error: [^\n]*\bshared module\b",
    re.IGNORECASE,
)


class VoilaPage(WatchedPage):
    """A page that Voila makes of a notebook.

    Args:
        page: a fresh page; its maker closes it.
        server: a running server.
        screenshots: the folder for `screenshot`.
    """

    def __init__(self, page: Page, server: LabServer, screenshots: Path) -> None:
        super().__init__(page, server.address, screenshots)
        self._server = server

    def open_notebook(self, source: Path) -> None:
        """Let Voila run a copy of a notebook, and wait until all its cells are shown."""
        shutil.copy(source, self._server.notebooks)
        path = f"voila/render/{quote(source.name)}"
        self.page.goto(f"{self._server.address}/{path}?token={self._server.token}")
        self.page.locator("#rendered_cells").wait_for()

    def _complain(self, complaint: str) -> None:
        if not EXCUSED.search(complaint):
            super()._complain(complaint)
