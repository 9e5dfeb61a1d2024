"""A page that is being watched: whatever goes wrong on it is kept, until a test asks.

Which front end is shown, and how it is driven, is left to those who build on it: `lab.Lab`,
`voila_page.VoilaPage`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page, expect


class WatchedPage:
    """A page whose every console error, page error and request off its server is a complaint.

    The fixtures fail each test that leaves any; a test that means to cause one clears the list.

    Args:
        page: a fresh page; the caller closes it.
        address: the server's, `http://127.0.0.1:PORT`.
        screenshots: the folder for `screenshot`.
        excused: page errors that a front end throws of its own, once each.

    Attributes:
        screenshots: the same; each test sets its own.
        has_failed: whether a test failed with this page, which then serves no other test.
    """

    def __init__(
        self, page: Page, address: str, screenshots: Path, excused: Iterable[str] = ()
    ) -> None:
        self.page = page
        self.screenshots = screenshots
        self.has_failed = False
        self.complaints: list[str] = []
        self._window = page.viewport_size
        self._excused = list(excused)
        self._host = address.removeprefix("http")
        page.add_init_script(TELL_STACKS)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self._note_page_error(str(error)))
        page.on("request", lambda request: self._note_address(request.url))
        page.on("websocket", lambda websocket: self._note_address(websocket.url))

    def scroll_to(self, selector: str) -> None:
        """Bring the first match into view."""
        self.page.locator(selector).first.scroll_into_view_if_needed()

    def screenshot(self, name: str, selector: str | None = None) -> Path:
        """Save what is to be seen, or only the first match of a selector, as `<name>.png`."""
        path = self.screenshots / f"{name}.png"
        shown = self.page if selector is None else self.page.locator(selector).first
        shown.screenshot(path=path)
        return path

    def tidy_up(self) -> None:
        """Give the window its first size, and take the mouse off what it is over."""
        if self._window is not None:
            self.page.set_viewport_size(self._window)
        self.page.mouse.move(0, 0)

    def raise_complaints(self) -> None:
        """Raise AssertionError with all that was wrong since the page was opened, if anything."""
        self.page.evaluate("0")  # once the page answers, what it said before has arrived
        if self.complaints:
            raise AssertionError("the page complained:\n" + "\n".join(self.complaints))

    def _complain(self, complaint: str) -> None:
        self.complaints.append(complaint)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(f"console error: {message.text} ({message.location['url']})")

    def _note_page_error(self, message: str) -> None:
        if message in self._excused:
            self._excused.remove(message)
        else:
            self._complain(f"page error: {message}")

    def _note_address(self, url: str) -> None:
        if not url.startswith((f"http{self._host}/", f"ws{self._host}/", "data:", "blob:")):
            self._complain(f"request off the server: {url}")


# What is written to the console names an error without saying where it arose.
TELL_STACKS = """
const report = console.error;
console.error = (...parts) => report(...parts.map(part => part?.stack ?? part));
"""


def start_training_and_pick_an_image(page: Page, position: int) -> None:
    """Start a long training in the lab on a page, and click an image while it runs."""
    epochs = page.get_by_label("Epochs")
    epochs.fill("2000")
    epochs.press("Enter")
    page.locator(".mw-training-panel .mw-start").click()
    expect(page.locator(".mw-loss-chart .mw-caption")).to_contain_text("Epoch 2")
    image = page.locator(".mw-image-gallery [role=option]:visible").nth(position)
    image.click()
    expect(image).to_have_attribute("aria-selected", "true")
