"""Fixtures of the browser tests: servers, one Chromium, and a page for each module.

The fixture `lab` is a `Lab`; a test marked `both_front_ends` runs in Notebook 7 too. `voila` is a
`VoilaPage`. The tests of a module share one `Lab`, which is cleaned up after each test; after a
failed test, the next one gets a new page. A test fails on every console error, page error and
request to another server. Screenshots, also of failures, go to the folder in
`MNIST_WIDGETS_SCREENSHOTS`, or to the test's temporary folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from get_chromium import find_chromium, is_required
from lab import FrontEnd, Lab, LabServer
from playwright.sync_api import Browser, Error, Page, ViewportSize, expect, sync_playwright
from renderer_page import RendererPage
from shared_page import SharedPage, Watched
from voila_page import VoilaPage
from watched_page import WatchedPage

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
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no request leaves this computer
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


class Servers:
    """The servers of the front ends; each starts when it is first needed."""

    def __init__(self, make_folder: Callable[[str], Path]) -> None:
        self._make_folder = make_folder
        self._servers: dict[FrontEnd, LabServer] = {}

    def get(self, front_end: FrontEnd) -> LabServer:
        """Return a running server."""
        if front_end not in self._servers:
            server = LabServer(self._make_folder(front_end), front_end)
            server.start()
            self._servers[front_end] = server
        return self._servers[front_end]

    def stop(self) -> None:
        """End all servers."""
        for server in self._servers.values():
            server.stop()


def _share(
    make: Callable[[Page, LabServer, Path], Watched], browser: Browser, server: LabServer
) -> contextlib.closing[SharedPage[Watched]]:
    """Share a new page, without cookies or settings, on a server without notebooks or kernels."""

    def open_page(screenshots: Path) -> Watched:
        server.clear()
        context = browser.new_context(viewport=WINDOW)
        context.set_default_timeout(TIMEOUT_MS)
        return make(context.new_page(), server, screenshots)

    return contextlib.closing(SharedPage(open_page))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Yield the servers of all front ends."""
    servers = Servers(tmp_path_factory.mktemp)
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def lab_server(request: pytest.FixtureRequest, servers: Servers) -> LabServer:
    """Return a running server, of JupyterLab unless the test asks for another front end."""
    return servers.get(getattr(request, "param", None) or "lab")


@pytest.fixture(scope="module")
def shared_lab(browser: Browser, lab_server: LabServer) -> Iterator[SharedPage[Lab]]:
    """Yield the page of a module's tests."""
    with _share(Lab, browser, lab_server) as shared:
        yield shared


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Return the folder for screenshots."""
    return Path(os.environ.get("MNIST_WIDGETS_SCREENSHOTS", tmp_path))


@pytest.fixture
def lab(shared_lab: SharedPage[Lab], screenshots: Path) -> Iterator[Lab]:
    """Yield a page of JupyterLab that shows nothing of earlier tests; fail if it had problems."""
    with shared_lab.use(screenshots) as lab:
        yield lab


@pytest.fixture
def voila(browser: Browser, lab_server: LabServer, screenshots: Path) -> Iterator[VoilaPage]:
    """Yield a new page of Voila; fail if it had problems."""
    with _share(VoilaPage, browser, lab_server) as shared, shared.use(screenshots) as voila:
        yield voila


@pytest.fixture
def renderer(browser: Browser, lab_server: LabServer, screenshots: Path) -> Iterator[RendererPage]:
    """Yield a new page for VS Code's renderer; fail if it had problems."""
    with _share(RendererPage, browser, lab_server) as shared, shared.use(screenshots) as renderer:
        yield renderer


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of this folder."""
    config.addinivalue_line("markers", "both_front_ends: runs in JupyterLab and in Notebook 7")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked `both_front_ends` twice."""
    if metafunc.definition.get_closest_marker("both_front_ends"):
        # None, as for tests without the mark, so that they share JupyterLab's server
        front_ends = {"lab": None, "notebook": "notebook"}
        metafunc.parametrize("lab_server", front_ends.values(), ids=front_ends, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and run them last, sorted by module and front end.

    While Playwright runs, so does its event loop, and `asyncio.run` fails in other tests.
    """
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)
    items.sort(key=_place_of)


def _place_of(item: pytest.Item) -> tuple[str, str]:
    if not item.path.is_relative_to(HERE):
        return "", ""
    front_end = item.callspec.params.get("lab_server") if hasattr(item, "callspec") else None
    return str(item.path), front_end or ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report the screenshot and the server's log when a test fails."""
    report = yield
    fixtures = getattr(item, "funcargs", {})
    watched = next((page for page in fixtures.values() if isinstance(page, WatchedPage)), None)
    if report.failed and watched is not None:
        watched.has_failed = True
    if report.failed and report.when == "call" and watched is not None:
        with contextlib.suppress(Error):
            picture = watched.screenshot(f"failed-{item.name}")
            report.sections.append(("Screenshot", str(picture)))
    if report.failed and "lab_server" in fixtures:
        report.sections.append(("JupyterLab's log", fixtures["lab_server"].log()))
    return report
