"""The images that a run is trained with, and what the network says of them, in JupyterLab."""

from __future__ import annotations

import re

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_output_width
from playwright.sync_api import expect

CELLS = [
    """
from mnist_widgets import load_bundled_digits, predict_probabilities
from mnist_widgets.widgets import dashboard

def count_reactions():
    trainer = lab.session.trainer
    digits = trainer.train_batches.digit_set
    answers = predict_probabilities(trainer.model, digits.images).argmax(1)
    are_wrong = digits.labels != digits.original_labels
    memorized = int((are_wrong & (answers == digits.labels)).sum())
    resisted = int((are_wrong & (answers == digits.original_labels)).sum())
    return f"{int(are_wrong.sum())} {memorized} {resisted}"
""",
    """
settings = "lr=0.005 batch=32 images=300 noise=0.2"
lab = dashboard(data=load_bundled_digits(), settings=settings, epochs=40)
lab
""",
]
LAB, IMAGES = ".mw-dashboard", ".mw-training-images"
TRAINED_MS = 120_000
COUNTS = re.compile(
    r"Of (\d+) wrong labels, the network repeats (\d+) \(memorized\); "
    r"it gives the true class for (\d+) \(resisted\)"
)
NAME = re.compile(r"true (\d), wrong label (\d), predicted (\d) with [\d.<>]+\s% \(memorized\)")


class TrainingImages:
    """The lab and its training images on the page."""

    def __init__(self, lab) -> None:
        self.lab, self.page = lab, lab.page
        self.panel = lab.page.locator(IMAGES)
        self.opener = lab.page.get_by_role("button", name="Look at training images")
        self.state = lab.page.locator(".mw-state")
        self.caption = self.panel.locator(".mw-image-gallery .mw-caption").first
        self.prediction = self.panel.locator(".mw-probability-chart .mw-caption").first
        self.options = self.panel.get_by_role("listbox").get_by_role("option")
        self.show = self.panel.get_by_label("Show", exact=True)
        self.num_images = self.panel.locator(".mw-page")

    def open(self) -> None:
        self.opener.focus()
        self.page.keyboard.press("Enter")
        expect(self.panel).to_be_visible()

    def press(self, name: str, state: str) -> None:
        self.page.locator(f"{LAB} .mw-{name}").click()
        expect(self.state).to_have_text(state, timeout=TRAINED_MS)

    def expect_counts_of_kernel(self) -> list[int]:
        """Compare wrong, memorized and resisted labels with the kernel's own count."""
        counted = self.lab.run_cell("print(count_reactions())").split()
        wrong, memorized, resisted = counted
        sentence = f"Of {wrong} wrong labels, the network repeats {memorized} (memorized); "
        expect(self.caption).to_contain_text(
            f"{sentence}it gives the true class for {resisted} (resisted)"
        )
        return [int(number) for number in counted]


@pytest.fixture
def images(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    set_output_width(lab.page, LAB, 1020, 900)
    return TrainingImages(lab)


def test_wrong_labels_are_shown_counted_and_filtered(images):
    lab, page, panel = images.lab, images.page, images.panel
    images.open()
    expect(panel).to_contain_text("The 300 images that this run is trained with.")
    assert images.expect_counts_of_kernel()[0] == 60  # of a network without training, too
    images.press("start", "Finished")
    wrong, memorized, _ = images.expect_counts_of_kernel()
    assert wrong == 60
    assert memorized > 30
    images.show.select_option("Wrong, memorized")
    expect(images.num_images).to_contain_text(f"{memorized} images")
    expect(images.options).to_have_count(30)
    panel.get_by_role("listbox").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(images.options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(images.caption).to_contain_text(NAME)
    true, label, predicted = NAME.search(images.caption.inner_text()).groups()
    assert label == predicted != true
    expect(images.prediction).to_contain_text(f"True {true}. The network says {label} with")
    for dark in (False, True):
        lab.set_theme(dark)
        lab.scroll_to(IMAGES)
        assert find_violations(page, IMAGES) == []
        for output_px, height_px in ((1020, 900), (480, 1200)):
            set_output_width(page, IMAGES, output_px, height_px)
            assert find_lasting_faults(page, IMAGES) == []
            lab.screenshot(f"training-images-{output_px}-{'dark' if dark else 'light'}")


def test_other_images_come_with_other_settings_and_the_filter_stays(images):
    lab, page, panel = images.lab, images.page, images.panel
    images.open()
    images.show.select_option("Wrong labels")
    expect(images.num_images).to_contain_text("60 images")
    images.press("start", "Finished")
    page.get_by_label("Batch size").select_option("64")
    images.press("reset", "Ready")
    images.expect_counts_of_kernel()
    expect(images.num_images).to_contain_text("60 images")
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Training images", exact=True).select_option("500")
    text = page.get_by_label("Text", exact=True)
    expect(text).to_have_value(re.compile("images=500"))
    images.press("reset", "Ready")
    expect(panel).to_contain_text("The 500 images that this run is trained with.")
    expect(images.num_images).to_contain_text("100 images")
    expect(images.show.locator("option:checked")).to_have_text("Wrong labels")
    epochs = page.get_by_label("Epochs")
    epochs.fill("2000")
    epochs.press("Enter")
    images.press("start", "Training")
    expect(images.caption).to_contain_text(COUNTS)
    images.options.nth(5).click()
    expect(images.prediction).to_contain_text("The network says")
    set_output_width(page, IMAGES, 1020, 900)
    assert find_lasting_faults(page, IMAGES) == []
    lab.screenshot("training-images-while-training")
    page.get_by_role("button", name="Close the images").click()
    expect(panel).to_be_hidden()
    images.press("stop", "Stopped")
    page.get_by_label("Training images", exact=True).select_option("All")
    expect(text).to_have_value(re.compile("images=all"))
    expect(page.get_by_label("Training images", exact=True)).to_have_value("All")
    images.press("reset", "Ready")
    images.open()
    expect(panel).to_contain_text("The 1,438 images that this run is trained with.")
    epochs.fill("1")
    epochs.press("Enter")
    images.press("start", "Finished")
    images.expect_counts_of_kernel()
    lab.scroll_to(IMAGES)
    lab.screenshot("training-images-reopened")
