"""Open a notebook in a real JupyterLab and Chromium for a benchmark, as the browser tests do."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from get_chromium import find_chromium  # noqa: E402
from lab import Lab, LabServer  # noqa: E402

STEAL_FIELD = 8  # of the line `cpu` in /proc/stat; man 5 proc_stat
WINDOW = ViewportSize(width=1280, height=1600)  # the whole lab is visible, so everything is drawn


@contextmanager
def open_lab(source: Path | Iterable[str]) -> Iterator[Lab]:
    """Yield the page of a notebook after all cells have run; close everything afterwards.

    Args:
        source: a notebook, or the code cells of a new one.

    Raises:
        RuntimeError: if there is no Chromium.
    """
    with open_page(LabServer(Path(tempfile.mkdtemp()))) as lab:
        lab.open_notebook(source)
        lab.run_all()
        yield lab


@contextmanager
def open_page(server: LabServer) -> Iterator[Lab]:
    """Start a server and yield an empty page; close everything afterwards.

    Raises:
        RuntimeError: if there is no Chromium.
    """
    chromium = find_chromium()
    if chromium is None:
        raise RuntimeError("No Chromium: run tests/browser/get_chromium.py")
    try:
        server.start()
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            screenshots = Path(tempfile.mkdtemp())
            yield Lab(browser.new_page(viewport=WINDOW), server, screenshots)
            browser.close()
    finally:
        server.stop()


def read_stolen_s() -> float:
    """Return the CPU seconds that other virtual machines of the host took since this one booted.

    If the system does not count them, return 0.
    """
    try:
        cpu = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
        return int(cpu[STEAL_FIELD]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):  # not Linux
        return 0.0


def describe_load() -> str:
    """Return the load of the machine as text, which helps to compare two results."""
    if not hasattr(os, "getloadavg"):  # Windows
        return "load unknown"
    return "load {:.2f} {:.2f} {:.2f}".format(*os.getloadavg())
