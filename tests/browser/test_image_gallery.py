"""The gallery in a real browser: what it shows, and how mouse and keyboard select images.

The tests of the keyboard run in Notebook 7 too: each front end handles keys differently.
"""

from __future__ import annotations

import io
import re

import pytest
import torch
from layout import find_lasting_faults, set_window_size
from PIL import Image
from playwright.sync_api import expect

from mnist_widgets import SimpleNet, load_bundled_digits, predict_probabilities
from mnist_widgets.training.evaluation.evaluator import Predictions

CELLS = [
    (
        "import torch\n"
        "from mnist_widgets import SimpleNet, load_bundled_digits, predict_probabilities\n"
        "from mnist_widgets.training.evaluation.evaluator import Predictions\n"
        "from mnist_widgets.widgets import ImageGallery\n"
        "_, test_set = load_bundled_digits()\n"
        "torch.manual_seed(0)\n"
        "model = SimpleNet(28 * 28, 10)"
    ),
    "gallery = ImageGallery(test_set)\ngallery",
    (
        "probabilities = predict_probabilities(model, test_set.images)\n"
        "gallery.show_predictions(Predictions(probabilities, test_set.labels))"
    ),
]
GALLERY = ".mw-image-gallery"


class Gallery:
    """The gallery on the page, and the predictions of the same network, computed in the test."""

    def __init__(self, lab) -> None:
        self.lab, self.page = lab, lab.page
        self.root = lab.page.locator(GALLERY)
        self.list = self.root.get_by_role("listbox")
        self.options = self.list.get_by_role("option")  # without hidden ones
        self.caption = self.root.locator(".mw-caption")
        self.page_text = self.root.locator(".mw-page .widget-html-content")
        _, self.digits = load_bundled_digits()
        torch.manual_seed(0)
        probabilities = predict_probabilities(SimpleNet(28 * 28, 10), self.digits.images)
        self.predictions = Predictions(probabilities, self.digits.labels)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def expect_shown(self, positions: list[int]) -> None:
        """Wait until the page shows exactly these images of the data set, in this order."""
        predicted = self.predictions.predicted_labels
        names = [
            re.compile(
                f"^Image {index}: true {self.digits.labels[index]}, predicted {predicted[index]} "
            )
            for index in positions
        ]
        expect(self.options).to_have_count(len(names))
        for option, name in zip(self.options.all(), names, strict=True):
            expect(option).to_have_accessible_name(name)

    def expect_cursor_at(self, position: int) -> None:
        """Wait until the option at `position` of the page is the one that a screen reader reads."""
        expect(self.options.nth(position)).to_have_attribute("data-cursor", "")
        active = self.list.get_attribute("aria-activedescendant")
        assert self.options.nth(position).get_attribute("id") == active

    def expect_selected(self, index: int) -> None:
        expect(self.caption).to_have_text(re.compile(rf"\bImage {index}: "))
        self.lab.expect_in_kernel("gallery.selected_index", str(index))

    def pictures(self) -> torch.Tensor:
        """Return the images of the page from a screenshot, float (M, 28, 28)."""
        pictures = []
        with Image.open(io.BytesIO(self.root.screenshot())) as screenshot:
            corner = self.root.bounding_box()
            for option in self.options.all():
                box = option.bounding_box()
                left, top = box["x"] - corner["x"], box["y"] - corner["y"]
                tile = (left, top, left + box["width"], top + box["height"])
                small = screenshot.convert("L").crop(tile).resize((28, 28))
                pictures.append(torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8))
        return torch.stack(pictures).reshape(-1, 28, 28) / 255


@pytest.fixture
def gallery(lab):
    """A gallery with the predictions of an untrained network."""
    lab.open_notebook(CELLS)
    lab.run_all()
    lab.scroll_to(GALLERY)
    gallery = Gallery(lab)
    expect(gallery.options.first).to_have_accessible_name(re.compile("predicted"))
    return gallery


@pytest.mark.both_front_ends
def test_the_keyboard_alone_reaches_moves_and_selects(gallery):
    gallery.root.get_by_label("Order").focus()
    gallery.press("Tab")
    expect(gallery.list).to_be_focused()
    gallery.expect_cursor_at(0)
    gallery.press("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft")
    gallery.expect_cursor_at(11)
    gallery.expect_selected(0)  # moving selects nothing
    gallery.press("Enter")
    gallery.expect_selected(11)
    expect(gallery.options.nth(11)).to_have_attribute("aria-selected", "true")
    gallery.lab.screenshot(f"gallery-focus-{gallery.lab.front_end}", GALLERY)
    gallery.press("End")
    gallery.expect_cursor_at(29)
    gallery.press("ArrowUp", "Space")
    gallery.expect_selected(19)
    gallery.press("Home", "ArrowLeft", "ArrowUp")
    gallery.expect_cursor_at(0)
    expect(gallery.list).to_be_focused()
    gallery.press("Tab")  # one stop for all images
    expect(gallery.root.get_by_role("button", name="Data")).to_be_focused()
    gallery.press("Tab", "Tab")  # over Save; Previous is disabled
    expect(gallery.root.locator(".mw-next")).to_be_focused()


@pytest.mark.both_front_ends
def test_the_keyboard_walks_over_a_pages_end_and_back(gallery):
    gallery.list.focus()
    gallery.press("End", "ArrowRight")
    expect(gallery.page_text).to_have_text("Page 2 of 12 · 359 images")
    gallery.expect_cursor_at(0)
    gallery.press("Enter")
    gallery.expect_selected(30)
    gallery.press("ArrowLeft", "Enter")  # Enter before the page is there
    gallery.expect_selected(29)
    gallery.press("ArrowDown")
    gallery.expect_cursor_at(9)
    gallery.press("PageDown", "PageDown")
    expect(gallery.page_text).to_contain_text("Page 4 of 12")
    gallery.expect_cursor_at(9)
    gallery.press("End")
    for _ in range(10):
        gallery.press("PageDown")
    expect(gallery.page_text).to_contain_text("Page 12 of 12")
    gallery.expect_shown(list(range(330, 359)))
    gallery.expect_cursor_at(28)
    gallery.press("ArrowRight", "ArrowDown")
    gallery.expect_cursor_at(28)
    gallery.press("PageUp")
    gallery.expect_shown(list(range(300, 330)))
    gallery.expect_cursor_at(28)


def test_a_click_selects_the_image_under_it(gallery):
    for position in (23, 29, 4):
        gallery.options.nth(position).click()
        gallery.expect_selected(position)
        gallery.expect_cursor_at(position)
    gallery.press("ArrowDown", "Enter")  # the keyboard goes on from there
    gallery.expect_selected(14)
    expect(gallery.root.locator("[aria-selected=true]")).to_have_count(1)


def test_a_click_is_marked_while_the_kernel_is_busy(lab):
    lab.open_notebook([*CELLS, "input()"])
    lab.start_all()
    gallery, question = Gallery(lab), lab.page.locator("input.jp-Stdin-input")
    expect(question).to_be_visible(timeout=60_000)
    gallery.options.nth(7).click()
    expect(gallery.options.nth(7)).to_have_attribute("aria-selected", "true")
    expect(gallery.caption).to_have_text(re.compile(r"\bImage 7: "))
    question.press("Enter")
    gallery.expect_selected(7)
    expect(gallery.root.locator("[aria-selected=true]")).to_have_count(1)


def test_each_tile_shows_its_image_and_says_what_it_is(gallery):
    gallery.expect_shown(list(range(30)))
    likeness = gallery.pictures().flatten(1) @ _unit(gallery.digits.images[:30]).T
    assert likeness.argmax(dim=1).tolist() == list(range(30))
    share = gallery.predictions.confidences[7]
    expect(gallery.options.nth(7)).to_have_attribute("title", re.compile(f" {share:.0%}"[:-1]))
    are_right = gallery.predictions.are_right[:30].tolist()
    for option, is_right in zip(gallery.options.all(), are_right, strict=True):
        expect(option).to_have_attribute("data-verdict", "right" if is_right else "wrong")


def test_a_pair_shows_exactly_its_images_and_the_dropdown_leads_back(gallery):
    counts = gallery.predictions.confusion
    asymmetry = torch.where(counts <= 30, counts - counts.T, 0)
    true, predicted = divmod(int(asymmetry.argmax()), 10)
    assert counts[true, predicted] > counts[predicted, true]
    gallery.lab.run_cell(f"gallery.selected_pair = ({true}, {predicted})")
    fits = (gallery.digits.labels == true) & (gallery.predictions.predicted_labels == predicted)
    gallery.expect_shown(fits.nonzero().squeeze(1).tolist())
    show = gallery.root.get_by_label("Show", exact=True)
    expect(show.locator("option:checked")).to_have_text(f"True {true}, predicted {predicted}")
    gallery.lab.screenshot("gallery-pair", GALLERY)
    show.select_option("All")
    gallery.expect_shown(list(range(30)))
    expect(show.get_by_text(re.compile("^True .*, predicted"))).to_have_count(0)
    assert gallery.lab.run_cell("print(gallery.selected_pair)").strip() == "None"


def test_filter_order_and_buttons_show_what_they_say(gallery):
    gallery.root.get_by_label("Show", exact=True).select_option("Mistakes")
    gallery.root.get_by_label("Order").select_option("Least confident first")
    mistakes = (~gallery.predictions.are_right).nonzero().squeeze(1)
    confidences = gallery.predictions.confidences[mistakes]
    expected = mistakes[confidences.argsort(stable=True)].tolist()
    gallery.expect_shown(expected[:30])
    gallery.root.get_by_role("button", name="Next").click()
    gallery.expect_shown(expected[30:60])
    gallery.root.get_by_role("button", name="Previous").click()
    gallery.expect_shown(expected[:30])


def test_an_empty_page_says_so_without_a_jump(gallery):
    height = gallery.root.bounding_box()["height"]
    gallery.lab.run_cell(
        "gallery.show_predictions(Predictions(torch.eye(10)[test_set.labels], test_set.labels))"
    )
    gallery.root.get_by_label("Show", exact=True).select_option("Mistakes")
    expect(gallery.root.locator(".mw-grid-notice")).to_have_text("Not a single mistake.")
    expect(gallery.options).to_have_count(0)
    gallery.list.focus()
    gallery.press("ArrowDown", "Enter")
    gallery.lab.screenshot("gallery-empty", GALLERY)
    assert gallery.root.bounding_box()["height"] == height


def test_live_predictions_change_frames_and_leave_selection_and_focus_alone(gallery):
    gallery.options.nth(12).click()
    gallery.press("ArrowRight")
    gallery.lab.run_cell(
        "for seed in range(5):\n"
        "    torch.manual_seed(seed)\n"
        "    probabilities = predict_probabilities(SimpleNet(28 * 28, 10), test_set.images)\n"
        "    gallery.show_predictions(Predictions(probabilities, test_set.labels))\n"
        "gallery.answers = torch.eye(10)[test_set.labels]\n"
        "gallery.schedule_redraw()"
    )
    expect(gallery.root.locator("[data-verdict=right]")).to_have_count(30)
    gallery.expect_selected(12)
    gallery.expect_cursor_at(13)
    expect(gallery.list).to_be_focused()


def test_it_is_legible_light_dark_and_narrow(gallery):
    gallery.lab.run_cell(
        "right = torch.eye(10)[test_set.labels]\n"
        "probabilities[::2] = 0.6 * right[::2] + 0.04\n"
        "gallery.show_predictions(Predictions(probabilities, test_set.labels))"
    )
    expect(gallery.root.locator("[data-verdict=right]").nth(14)).to_be_visible()
    gallery.options.nth(13).click()
    gallery.press("ArrowRight")
    gallery.lab.screenshot("gallery-light", GALLERY)
    gallery.lab.set_theme(dark=True)
    gallery.lab.screenshot("gallery-dark", GALLERY)
    gallery.lab.set_theme(dark=False)
    set_window_size(gallery.page, 480, 900)
    gallery.lab.scroll_to(GALLERY)
    gallery.lab.screenshot("gallery-narrow")
    columns = gallery.options.evaluate_all(
        "options => options.filter(option => option.offsetTop === options[0].offsetTop).length"
    )
    assert columns < 10
    gallery.list.focus()
    gallery.press("Home", "ArrowDown")
    gallery.expect_cursor_at(columns)  # down is down, however many columns there are
    faults = find_lasting_faults(gallery.page, GALLERY)
    assert not faults, faults


def test_keys_go_to_the_notebook_again_once_the_gallery_has_lost_the_focus(gallery):
    gallery.list.focus()
    gallery.press("ArrowRight")
    gallery.expect_cursor_at(1)
    gallery.page.locator(".jp-Cell").nth(0).locator(".jp-InputPrompt").click()
    active = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    assert gallery.page.evaluate(active) == 0
    gallery.press("ArrowDown")
    gallery.page.wait_for_function(f"{active} === 1")
    gallery.expect_cursor_at(1)


def _unit(images: torch.Tensor) -> torch.Tensor:
    """Return images as vectors of length 1, float (N, 784)."""
    vectors = images.flatten(1).float()
    return vectors / vectors.norm(dim=1, keepdim=True)
