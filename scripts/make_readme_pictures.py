"""Make the pictures of the README and of docs/ from the real lab in JupyterLab and Chromium.

Run `python scripts/make_readme_pictures.py`; it takes some minutes and writes three files in
docs/images: `lab.gif`, a moving picture that trains, clicks a cell of the confusion matrix and one
of its images; `dashboard.png`, the lab with two runs; and `lesson.png`, a part of the first lesson.
The images are those of MNIST if `MNIST_WIDGETS_DATA` names its folder, else the bundled digits.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import FloatRect, Locator, Page, ViewportSize, expect

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from real_lab import open_lab  # noqa: E402

PICTURES = ROOT / "docs" / "images"
LESSON = ROOT / "notebooks" / "01_training_a_neural_network.ipynb"
WINDOW = ViewportSize(width=1440, height=900)
HEIGHT_WITH_RUNS_PX = 1300
MAX_BYTES = 3_000_000
SHOW_FILE_LIST = """() => {
    window.jupyterapp.shell.mode = 'multiple-document';
    window.jupyterapp.shell.expandLeft();
}"""
SCROLL_TO_TOP = "element => element.scrollIntoView({block: 'start'})"
MARGIN_PX = 8  # at the left and the right of the lab
MAX_FRAMES = 40  # of the training
STRIP_PX = 40  # the height of the words below the lab
POINTER = [(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)]


class Movie:
    """Pictures of a part of the page, with a mouse pointer, and words below them.

    Args:
        page: shows the lab.
        clip: the part, in pixels of the window.
    """

    def __init__(self, page: Page, clip: FloatRect) -> None:
        self._page = page
        self._clip = clip
        self._pointer = (0.6 * clip["width"], 0.5 * clip["height"])
        self._frames: list[Image.Image] = []
        self._durations_ms: list[int] = []
        self.words = ""

    def take(self, duration_ms: int) -> None:
        """Add a frame of what the page shows now."""
        self._add(self._shoot(), duration_ms)

    def take_while(self, goes_on: Callable[[], bool], duration_ms: int) -> None:
        """Add frames, evenly spaced and at most `MAX_FRAMES`, of what the page shows meanwhile."""
        pictures = []
        while goes_on():
            pictures.append(self._shoot())
        for picture in pictures[:: ceil(len(pictures) / MAX_FRAMES) or 1]:
            self._add(picture, duration_ms)

    def click(self, target: Locator) -> None:
        """Move the pointer to a target, press it there, and click."""
        box = target.bounding_box()
        assert box is not None  # noqa: S101 - a target that cannot be seen cannot be clicked
        end = (
            box["x"] + box["width"] / 2 - self._clip["x"],
            box["y"] + box["height"] / 2 - self._clip["y"],
        )
        shown, start, num_moves = self._shoot(), self._pointer, 8
        for move in range(1, num_moves + 1):
            share = move / num_moves
            share *= share * (3 - 2 * share)  # slow at the start and at the end
            self._pointer = tuple(a + share * (b - a) for a, b in zip(start, end, strict=True))
            self._add(shown, 50)
        self._add(shown, 250, pressed=True)
        target.click()

    def save(self, path: Path) -> None:
        """Write the frames as a GIF that repeats for ever.

        The frames get their colours together, and are not dithered: then what stands still takes no
        space.
        """
        width, height = self._frames[0].size
        film = Image.new("RGB", (width, height * len(self._frames)))
        for position, frame in enumerate(self._frames):
            film.paste(frame, (0, height * position))
        film = film.quantize(colors=256, dither=Image.Dither.NONE)
        first, *others = (
            film.crop((0, top, width, top + height)) for top in range(0, film.height, height)
        )
        first.save(path, save_all=True, append_images=others, duration=self._durations_ms, loop=0)

    def _shoot(self) -> Image.Image:
        picture = self._page.screenshot(clip=self._clip)
        return Image.open(io.BytesIO(picture)).convert("RGB")

    def _add(self, picture: Image.Image, duration_ms: int, *, pressed: bool = False) -> None:
        frame = Image.new("RGB", (picture.width, picture.height + STRIP_PX), "#1f2933")
        frame.paste(picture)
        draw = ImageDraw.Draw(frame)
        middle = (frame.width / 2, picture.height + STRIP_PX / 2)
        draw.text(middle, self.words, "white", ImageFont.load_default(20), anchor="mm")
        x, y = self._pointer
        if pressed:
            draw.ellipse((x - 13, y - 13, x + 13, y + 13), outline="#d55e00", width=3)
        arrow = [(x + right, y + down) for right, down in POINTER]
        draw.polygon(arrow, fill="black", outline="white")
        self._frames.append(frame)
        self._durations_ms.append(duration_ms)


def make_movie(page: Page) -> None:
    """Train the lab, click a cell of the matrix and an image, and write `lab.gif`."""
    lab = page.locator(".mw-dashboard")
    lab.evaluate(SCROLL_TO_TOP)
    movie = Movie(page, _frame(lab, last=lab.locator(".mw-probability-chart")))
    movie.words = "Press Start: the network begins to learn"
    movie.take(1200)
    movie.click(lab.locator(".mw-start"))
    state = lab.locator(".mw-state")
    movie.words = "The loss falls, and more and more answers are right"
    movie.take_while(lambda: state.inner_text() != "Finished", duration_ms=130)
    _settle(page)
    movie.take(1500)
    movie.words = "Click a mistake in the confusion matrix: its images appear"
    all_pages = lab.locator(".mw-page").inner_text()
    movie.click(_most_frequent_mistake(lab))
    expect(lab.locator(".mw-page")).not_to_have_text(all_pages)
    _settle(page)
    movie.take(2200)
    movie.words = "Click an image: the network's ten probabilities"
    movie.click(lab.locator(".mw-grid-image:visible").nth(1))
    _settle(page)
    movie.take(3500)
    _write("lab.gif", movie.save)


def make_still_of_two_runs(page: Page) -> None:
    """Train once more with another learning rate, and write `dashboard.png`."""
    lab = page.locator(".mw-dashboard")
    rate = lab.get_by_label("Learning rate")
    rate.fill("0.0003")
    rate.press("Enter")
    lab.locator(".mw-reset").click()
    expect(lab.locator(".mw-state")).to_have_text("Ready")
    lab.locator(".mw-start").click()
    expect(lab.locator(".mw-state")).to_have_text("Finished", timeout=120_000)
    page.mouse.move(0, 0)
    page.set_viewport_size(ViewportSize(width=WINDOW["width"], height=HEIGHT_WITH_RUNS_PX))
    lab.evaluate(SCROLL_TO_TOP)
    _settle(page)
    clip = _frame(lab, last=lab)
    _write("dashboard.png", lambda path: page.screenshot(path=path, clip=clip))


def make_still_of_lesson(page: Page) -> None:
    """Write `lesson.png`: the buttons and the loss in the first lesson."""
    page.set_viewport_size(WINDOW)
    cell = page.locator(".jp-CodeCell", has=page.locator(".mw-training-panel")).first
    cell.evaluate(SCROLL_TO_TOP)
    _settle(page)
    clip = _frame(cell, last=page.locator(".mw-loss-chart").first)
    _write("lesson.png", lambda path: page.screenshot(path=path, clip=clip))


def _frame(first: Locator, last: Locator) -> FloatRect:
    """Return the part of the window from the top of one element to the bottom of another."""
    box, end = first.bounding_box(), last.bounding_box()
    assert box is not None and end is not None  # noqa: PT018, S101 - both are visible
    return FloatRect(
        x=box["x"] - MARGIN_PX,
        y=box["y"],
        width=box["width"] + 2 * MARGIN_PX,
        height=end["y"] + end["height"] - box["y"],
    )


def _most_frequent_mistake(lab: Locator) -> Locator:
    """Return the cell of the confusion matrix with the most mistakes."""
    texts = lab.locator(".mw-confusion-chart text.label").all_text_contents()
    counts = [int(text.replace(",", "")) for text in texts]
    num_classes = 10
    mistakes = [-1 if cell % (num_classes + 1) == 0 else count for cell, count in enumerate(counts)]
    cell = mistakes.index(max(mistakes))
    return lab.locator(".mw-confusion-chart .heatmapcell").nth(cell)


def _settle(page: Page) -> None:
    """Give the charts, whose lines and bars move to their new places, the time to do so."""
    page.wait_for_timeout(1500)


def _write(name: str, save: Callable[[Path], object]) -> None:
    path = PICTURES / name
    save(path)
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size:,} bytes")
    if size > MAX_BYTES:
        sys.exit(f"{name} is larger than {MAX_BYTES:,} bytes")


def main() -> None:
    """Make all pictures."""
    root = os.environ.get("MNIST_WIDGETS_DATA")
    set_root = ""
    if root:  # the server gives its kernels an empty folder
        folder = str(Path(root).expanduser().absolute())
        set_root = f"import os\nos.environ['MNIST_WIDGETS_DATA'] = {folder!r}"
    num_epochs = 3 if root else 20
    cell = f"lab = dashboard(epochs={num_epochs})\nlab"
    with open_lab([set_root, "from mnist_widgets.widgets import dashboard", cell]) as lab:
        page = lab.page
        page.set_viewport_size(WINDOW)
        page.evaluate(SHOW_FILE_LIST)
        _settle(page)
        make_movie(page)
        make_still_of_two_runs(page)
        lab.clean_up()
        lab.run_cell(set_root)
        lab.open_notebook(LESSON)
        lab.run_all()
        make_still_of_lesson(page)


if __name__ == "__main__":
    main()
