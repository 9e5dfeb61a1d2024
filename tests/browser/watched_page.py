"""A page that records its errors; the base class of the pages of all front ends."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from layout import set_window_size
from playwright.sync_api import ConsoleMessage, Page, expect


class WatchedPage:
    """A page that records console errors, page errors, and requests to other servers.

    The fixtures fail each test that leaves problems; a test that causes one on purpose clears the
    list.

    Args:
        page: a new page; the caller closes it.
        address: the server's, `http://127.0.0.1:PORT`.
        screenshots: the folder for `screenshot`.
        known_errors: page errors that the front end itself throws, once each.

    Attributes:
        screenshots: the same; each test sets its own.
        has_failed: whether a test with this page failed; then no other test uses it.
        problems: the problems so far, one sentence each.
    """

    def __init__(
        self, page: Page, address: str, screenshots: Path, known_errors: Iterable[str] = ()
    ) -> None:
        self.page = page
        self.screenshots = screenshots
        self.has_failed = False
        self.problems: list[str] = []
        self.expected_error = ""  # words of console errors that the test causes at any time
        self._window = page.viewport_size
        self._known_errors = list(known_errors)
        self._host = address.removeprefix("http")
        page.add_init_script(REPORT_STACKS)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self._note_page_error(str(error)))
        page.on("request", lambda request: self._note_address(request.url))
        page.on("websocket", lambda websocket: self._note_address(websocket.url))

    def scroll_to(self, selector: str) -> None:
        """Bring the first match into view."""
        self.page.locator(selector).first.scroll_into_view_if_needed()

    def screenshot(self, name: str, selector: str | None = None) -> Path:
        """Save the visible page, or the first match of a selector, as `<name>.png`."""
        path = self.screenshots / f"{name}.png"
        shown = self.page if selector is None else self.page.locator(selector).first
        shown.screenshot(path=path)
        return path

    def clean_up(self) -> None:
        """Restore the window's size, and move the mouse to the corner."""
        self.expected_error = ""
        if self._window is not None:
            set_window_size(self.page, self._window["width"], self._window["height"])
        self.page.mouse.move(0, 0)

    def raise_problems(self) -> None:
        """Raise AssertionError with all problems since the page was opened, if there are any."""
        self.page.evaluate("0")  # messages that the page sent before its answer have arrived
        if self.problems:
            raise AssertionError("problems of the page:\n" + "\n".join(self.problems))

    def _add_problem(self, problem: str) -> None:
        self.problems.append(problem)

    def _note_console(self, message: ConsoleMessage) -> None:
        is_expected = self.expected_error and self.expected_error in message.text
        if message.type == "error" and not is_expected:
            self._add_problem(f"console error: {message.text} ({message.location['url']})")

    def _note_page_error(self, message: str) -> None:
        if message in self._known_errors:
            self._known_errors.remove(message)
        else:
            self._add_problem(f"page error: {message}")

    def _note_address(self, url: str) -> None:
        if not url.startswith((f"http{self._host}/", f"ws{self._host}/", "data:", "blob:")):
            self._add_problem(f"request to another server: {url}")


# Write an error to the console with its stack, not only its message.
REPORT_STACKS = """
const report = console.error;
console.error = (...parts) => report(...parts.map(part => part?.stack ?? part));
"""


AFTER_AN_EPOCH = re.compile(r"after epoch \d")
"""In the caption of the loss chart when an epoch has been drawn."""


def batches_in_caption(num_batches: int) -> re.Pattern[str]:
    """Return what the caption of the loss chart contains after this number of batches."""
    return re.compile(rf"Batch {num_batches:,}:|in {num_batches:,} batches")


def start_training_and_pick_an_image(page: Page, position: int) -> None:
    """Start a long training in the lab on a page, and click an image while it runs."""
    epochs = page.get_by_label("Epochs")
    epochs.fill("2000")
    epochs.press("Enter")
    page.locator(".mw-training-panel .mw-start").click()
    expect(page.locator(".mw-loss-chart .mw-caption")).to_contain_text(AFTER_AN_EPOCH)
    image = page.locator(".mw-image-gallery [role=option]:visible").nth(position)
    image.click()
    expect(image).to_have_attribute("aria-selected", "true")
