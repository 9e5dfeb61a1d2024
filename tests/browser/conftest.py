"""Fixtures of the browser tests: one JupyterLab server and one Chromium, a fresh page per test.

Ask for `lab`, a `Lab`; a test marked `both_front_ends` runs in Notebook 7 too. Or ask for `voila`,
a `VoilaPage`. At the end of the test it fails on every console error, page error and request that
left the server. Screenshots, that of a failure included, go to the folder that
`MNIST_WIDGETS_SCREENSHOTS` names, else to the test's temporary folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from get_chromium import find_chromium, is_required
from lab import Lab, LabServer
from playwright.sync_api import Browser, Error, Page, ViewportSize, expect, sync_playwright
from renderer_page import RendererPage
from voila_page import VoilaPage
from watched_page import WatchedPage

Watched = TypeVar("Watched", bound=WatchedPage)

HERE = Path(__file__).parent
WINDOW = ViewportSize(width=1280, height=1000)
TIMEOUT_MS = 30_000

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",  # together with the next:
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # what leaves does not arrive
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield a headless Chromium; without one skip, or fail where browser tests are required."""
    chromium = find_chromium()
    if chromium is None:
        give_up = pytest.fail if is_required() else pytest.skip
        give_up("NO CHROMIUM: run tests/browser/get_chromium.py, or set MNIST_WIDGETS_CHROMIUM")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabServer]:
    """Yield a running server, of JupyterLab unless the test asks for another front end."""
    front_end = getattr(request, "param", None) or "lab"
    server = LabServer(tmp_path_factory.mktemp(front_end), front_end)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def lab(browser: Browser, lab_server: LabServer, tmp_path: Path) -> Iterator[Lab]:
    """Yield a page of JupyterLab that knows nothing of earlier tests; fail if it complained."""
    with _watch(Lab, browser, lab_server, tmp_path) as lab:
        yield lab


@pytest.fixture
def voila(browser: Browser, lab_server: LabServer, tmp_path: Path) -> Iterator[VoilaPage]:
    """Yield a page of Voila that knows nothing of earlier tests; fail if it complained."""
    with _watch(VoilaPage, browser, lab_server, tmp_path) as voila:
        yield voila


@pytest.fixture
def renderer(browser: Browser, lab_server: LabServer, tmp_path: Path) -> Iterator[RendererPage]:
    """Yield a page that VS Code's renderer is to draw on; fail if it complained."""
    with _watch(RendererPage, browser, lab_server, tmp_path) as renderer:
        yield renderer


@contextlib.contextmanager
def _watch(
    make: Callable[[Page, LabServer, Path], Watched],
    browser: Browser,
    server: LabServer,
    tmp_path: Path,
) -> Iterator[Watched]:
    server.forget()
    context = browser.new_context(viewport=WINDOW)
    context.set_default_timeout(TIMEOUT_MS)
    screenshots = Path(os.environ.get("MNIST_WIDGETS_SCREENSHOTS", tmp_path))
    watched = make(context.new_page(), server, screenshots)
    try:
        yield watched
        watched.raise_complaints()
    finally:
        context.close()


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of this folder's marker."""
    config.addinivalue_line("markers", "both_front_ends: runs in JupyterLab and in Notebook 7")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked `both_front_ends` twice."""
    if metafunc.definition.get_closest_marker("both_front_ends"):
        # None, as for the tests that are not marked: they then share JupyterLab's server.
        front_ends = {"lab": None, "notebook": "notebook"}
        metafunc.parametrize("lab_server", front_ends.values(), ids=front_ends, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and run them last.

    As long as Playwright runs, so does its event loop, and `asyncio.run` fails in other tests.
    """
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item.path.is_relative_to(HERE))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the page looked like and what the server said when a test fails."""
    report = yield
    fixtures = getattr(item, "funcargs", {})
    watched = next((page for page in fixtures.values() if isinstance(page, WatchedPage)), None)
    if report.failed and report.when == "call" and watched is not None:
        with contextlib.suppress(Error):
            picture = watched.screenshot(f"failed-{item.name}")
            report.sections.append(("Screenshot", str(picture)))
    if report.failed and "lab_server" in fixtures:
        report.sections.append(("JupyterLab's log", fixtures["lab_server"].log()))
    return report
