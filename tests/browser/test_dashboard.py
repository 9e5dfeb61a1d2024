"""The whole lab in real front ends: all panels share one selection, also during a training.

In Notebook 7 run the test that uses most panels and the test of the keyboard, since each front end
handles keys differently. The rest of the lab is the same JavaScript in both.
"""

from __future__ import annotations

import json
import re
from itertools import groupby

import pytest
from layout import find_lasting_faults, set_window_size
from playwright.sync_api import expect

from mnist_widgets import load_bundled_digits
from mnist_widgets.rendering.captions import format_share

BARS = ".mw-probability-chart rect.bar"
CELLS = [
    """
from mnist_widgets import load_digits, predict_probabilities
from mnist_widgets.widgets import dashboard
train_set, test_set = load_digits()
""",
    "lab = dashboard(data=(train_set, test_set))\nlab",
]
# The network's answers for all images, computed between two batches.
LOOK = """
import json
def look():
    probabilities = predict_probabilities(lab.session.trainer.model, test_set.images)
    return probabilities.argmax(dim=1).tolist(), probabilities.amax(dim=1).tolist()
predicted, confidences = lab.session.between_batches(look).result(10)
print(json.dumps([predicted, confidences, test_set.labels.tolist()]))
"""

# The sentence of a prediction and the heights of its bars in each frame for some milliseconds.
WATCH = """
([bars, milliseconds]) => new Promise((resolve) => {
  const [seen, end] = [[], performance.now() + milliseconds];
  const heightOf = (bar) => Number(bar.getAttribute("height"));
  const note = () => {
    const sentence = document.querySelector(".mw-probability-chart .mw-caption");
    const heights = [...document.querySelectorAll(bars)].slice(1, 11).map(heightOf);
    seen.push([sentence.textContent.trim(), heights]);
    if (performance.now() < end) requestAnimationFrame(note);
    else resolve(seen);
  };
  note();
})
"""

# Record the calls of URL.revokeObjectURL, which works as before.
NOTE_REVOKED = """() => {
  const revoke = URL.revokeObjectURL.bind(URL);
  window.revoked = [];
  URL.revokeObjectURL = (url) => { window.revoked.push(url); revoke(url); };
}"""


class Dashboard:
    """The lab on the page, and its kernel."""

    def __init__(self, lab) -> None:
        self.lab = lab
        self.page = lab.page
        self.grid = lab.page.locator(".mw-image-gallery [role=listbox]")
        self.images = lab.page.locator(".mw-image-gallery [role=option]:visible")
        self.sentence = lab.page.locator(".mw-probability-chart .mw-caption")
        self.state = lab.page.locator(".mw-training-panel .mw-state")

    def press(self, name: str) -> None:
        self.page.locator(f".mw-training-panel .mw-{name}").click()

    def train(self, epochs: int) -> None:
        field = self.page.get_by_label("Epochs")
        field.fill(str(epochs))
        field.press("Enter")
        self.press("start")

    def look(self) -> tuple[list[int], list[float], list[int]]:
        """Return predicted labels, their probabilities and the true labels of all test images."""
        predicted, confidences, labels = json.loads(self.lab.run_cell(LOOK))
        return predicted, confidences, labels

    def bars(self) -> list[float]:
        """Return the heights of the ten bars in pixels, without frame and columns."""
        return self.page.locator(BARS).evaluate_all(
            "bars => bars.slice(1, 11).map(bar => Number(bar.getAttribute('height')))"
        )

    def lines(self) -> int:
        """Return the number of lines in the loss chart."""
        return self.page.locator(".mw-loss-chart path.line").evaluate_all(
            "paths => paths.filter(path => path.getAttribute('d')?.includes('L')).length"
        )


@pytest.fixture
def dashboard(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    dashboard = Dashboard(lab)
    expect(dashboard.sentence).to_contain_text("The network says")
    return dashboard


@pytest.mark.both_front_ends
def test_a_clicked_image_shows_its_prediction(dashboard):
    dashboard.train(2)
    expect(dashboard.state).to_have_text("Finished")
    predicted, confidences, labels = dashboard.look()
    dashboard.images.nth(12).click()
    expect(dashboard.sentence).to_contain_text(
        f"True {labels[12]}. The network says {predicted[12]} with"
    )
    shares = json.loads(
        dashboard.lab.run_cell(
            "model = lab.session.trainer.model\n"
            "print(predict_probabilities(model, test_set.images[12])[0].tolist())"
        )
    )
    assert shares[predicted[12]] == pytest.approx(confidences[12], abs=1e-5)
    heights = dashboard.bars()
    scale = sum(heights)  # in pixels; the probabilities sum to 1
    assert [height / scale for height in heights] == pytest.approx(shares, abs=0.01)
    dashboard.page.locator(BARS).nth(11 + 7).hover()  # a column; its bar may have no height
    values = dashboard.page.locator(".mw-values:visible")
    expect(values).to_contain_text(f"{100 * shares[7]:.2f} %")
    dashboard.page.mouse.move(0, 0)
    set_window_size(dashboard.page, 1440, 900)
    dashboard.page.locator(".mw-dashboard").evaluate("lab => lab.scrollIntoView()")
    assert not (faults := find_lasting_faults(dashboard.page, ".mw-dashboard")), faults
    dashboard.lab.screenshot(f"dashboard-{dashboard.lab.front_end}")


def test_the_bars_follow_the_training(dashboard):
    labels = dashboard.look()[2]
    dashboard.images.nth(3).click()
    assert labels[3] != labels[0]
    expect(dashboard.sentence).to_contain_text(f"True {labels[3]}.")
    before = dashboard.bars()
    dashboard.train(2000)
    dashboard.page.wait_for_function(
        "([selector, before]) => [...document.querySelectorAll(selector)].slice(1, 11)"
        ".some((bar, i) => Number(bar.getAttribute('height')) !== before[i])",
        arg=[BARS, before],
    )
    dashboard.images.nth(5).click()
    expect(dashboard.sentence).to_contain_text(f"True {labels[5]}.")
    expect(dashboard.state).to_have_text("Training")
    dashboard.press("stop")
    expect(dashboard.state).to_have_text("Stopped")


def test_images_can_be_selected_while_the_kernel_is_busy(lab):
    lab.open_notebook([*CELLS, "lab.session.start(100_000)\ninput()"])
    lab.start_all()
    dashboard, question = Dashboard(lab), lab.page.locator("input.jp-Stdin-input")
    expect(question).to_be_visible(timeout=60_000)
    labels = load_bundled_digits()[1].labels.tolist()
    expect(dashboard.sentence).to_contain_text(f"True {labels[0]}. The network says")
    assert labels[0] != labels[12]
    dashboard.images.nth(12).click()
    expect(dashboard.sentence).to_contain_text(f"True {labels[12]}. The network says")
    caption = lab.page.locator(".mw-image-gallery .mw-caption")
    expect(caption).to_contain_text(f"Image 12: true {labels[12]}, predicted")
    frame = lab.page.locator(BARS).nth(0)
    column = lab.page.locator(BARS).nth(11 + labels[12]).bounding_box()
    assert column["x"] < frame.bounding_box()["x"] < column["x"] + column["width"]
    # the kernel has not received the click, and still predicts the image before
    seen = lab.page.evaluate(WATCH, [BARS, 3000])
    assert len({tuple(heights) for _, heights in seen}) > 1  # the bars follow the training
    # bqplot moves the bars a frame or two after the sentence, so look at its last frame
    frames = [list(group)[-1] for _, group in groupby(seen, key=lambda frame: frame[0])]
    for sentence, heights in frames[:-1] or frames:
        words = f"True {labels[12]}. The network says {heights.index(max(heights))} with"
        assert sentence.startswith(words)
    question.press("Enter")
    lab.wait_until_idle()
    dashboard.lab.expect_in_kernel("lab.panels['gallery'].selected_index", "12")
    lab.run_cell("lab.session.stop()")
    expect(dashboard.state).to_have_text("Stopped")
    predicted, confidences, _ = dashboard.look()
    share = format_share(confidences[12])
    expect(dashboard.sentence).to_contain_text(f"says {predicted[12]} with {share}, then")


def test_two_views_of_a_busy_lab_show_the_newest_selection(lab):
    lab.open_notebook([*CELLS, "lab.panels['gallery']", "input()"])
    lab.start_all()
    dashboard, question = Dashboard(lab), lab.page.locator("input.jp-Stdin-input")
    expect(question).to_be_visible(timeout=60_000)
    labels = load_bundled_digits()[1].labels.tolist()
    views = lab.page.locator(".mw-image-gallery")
    expect(views).to_have_count(2)
    for view, index in ((0, 12), (1, 2), (0, 3)):
        views.nth(view).locator("[role=option]").nth(index).click()
        expect(dashboard.sentence).to_contain_text(f"True {labels[index]}. The network says")
        expect(lab.page.locator("[role=option][aria-selected=true]")).to_have_count(2)
        for option in views.locator(f"[role=option]:nth-child({index + 1})").all():
            expect(option).to_have_attribute("aria-selected", "true")
    question.press("Enter")
    dashboard.lab.expect_in_kernel("lab.panels['gallery'].selected_index", "3")
    expect(dashboard.sentence).to_contain_text(f"True {labels[3]}. The network says")
    lists = views.locator("[role=listbox]")
    pictures = lists.evaluate_all("lists => lists.map((list) => list.style.cssText.split('\"')[1])")
    assert len(set(pictures)) == 1  # decoded once
    lab.page.evaluate(NOTE_REVOKED)
    lab.run_cell("lab.close()")
    lab.page.wait_for_function("urls => urls.every((url) => revoked.includes(url))", arg=pictures)


def test_a_second_view_of_a_lab_shows_the_same_and_code_selects_in_both(lab):
    lab.open_notebook([*CELLS, "lab"])
    lab.run_all()
    dashboard, labels = Dashboard(lab), load_bundled_digits()[1].labels.tolist()
    labs = lab.page.locator(".mw-dashboard")
    expect(labs).to_have_count(2)

    def expect_shown(index: int) -> None:
        for view in labs.all():
            option = view.locator(f"[role=option]:nth-child({index % 30 + 1})")
            expect(option).to_have_attribute("aria-selected", "true")
            expect(view.locator(".mw-image-gallery .mw-caption")).to_contain_text(f"Image {index}:")
            sentence = view.locator(".mw-probability-chart .mw-caption")
            expect(sentence).to_contain_text(f"True {labels[index]}. The network says")
            expect(view.locator(".mw-probability-chart img")).to_have_count(1)

    labs.nth(1).locator("[role=option]").nth(12).click()
    expect_shown(12)
    dashboard.lab.expect_in_kernel("lab.selected_index", "12")
    lab.run_cell("lab.selected_index = 3")
    expect_shown(3)
    picture = lab.page.locator(".mw-probability-chart img").first
    before = picture.get_attribute("src")
    lab.run_cell("lab.selected_index = 40")  # on the next page
    expect(labs.nth(1).locator(".mw-image-gallery .mw-caption")).to_contain_text("Click an image")
    expect(dashboard.sentence.first).to_contain_text(f"True {labels[40]}. The network says")
    expect(picture).not_to_have_attribute("src", before)
    labs.nth(0).get_by_role("button", name="Next").click()
    expect_shown(40)


def test_what_a_click_shows_is_not_sent_to_the_kernel_and_survives_a_reload(dashboard):
    lab, page = dashboard.lab, dashboard.page
    dashboard.images.nth(12).click()
    label = dashboard.look()[2][12]
    expect(dashboard.sentence).to_contain_text(f"True {label}. The network says")
    words, bars = dashboard.sentence.text_content(), dashboard.bars()
    assert any(bars)
    lab.expect_in_kernel("lab.selected_index", "12")
    lab.expect_in_kernel("lab.panels['prediction']._figure.bars.y.any()", "False")
    lab.save()
    page.reload()
    expect(dashboard.sentence).to_have_text(words)
    lab.wait_until_idle()
    assert dashboard.bars() == pytest.approx(bars, abs=1)
    expect(dashboard.images.nth(12)).to_have_attribute("aria-selected", "true")


def test_the_kernels_selection_is_shown_in_the_end(dashboard):
    dashboard.lab.run_cell(
        "def refuse(change):\n"
        "    if change['new'] == 12:\n"
        "        lab.panels['gallery'].selected_index = 0\n"
        "lab.panels['gallery'].observe(refuse, 'selected_index')"
    )
    labels, sentence = dashboard.look()[2], dashboard.sentence.text_content()
    assert labels[12] != labels[0]
    dashboard.images.nth(12).click()
    expect(dashboard.images.nth(0)).to_have_attribute("aria-selected", "true")
    expect(dashboard.sentence).to_have_text(sentence.strip())
    caption = dashboard.page.locator(".mw-image-gallery .mw-caption")
    expect(caption).to_contain_text("Image 0: ")
    dashboard.lab.expect_in_kernel("lab.selected_index", "0")


def test_a_confusion_cell_shows_exactly_its_images(dashboard):
    dashboard.train(2)
    expect(dashboard.state).to_have_text("Finished")
    predicted, _, labels = dashboard.look()
    pairs = list(zip(labels, predicted, strict=True))
    true, wrong = next(
        pair
        for pair in pairs
        if pair[0] != pair[1] and pairs.count(pair) != pairs.count(pair[::-1])
    )
    expected = [index for index, pair in enumerate(pairs) if pair == (true, wrong)]
    dashboard.page.locator(".mw-confusion-chart .heatmapcell").nth(10 * true + wrong).click()
    expect(dashboard.images).to_have_count(len(expected))
    shown = dashboard.lab.run_cell("print(sorted(lab.panels['gallery'].visible_indices.tolist()))")
    assert json.loads(shown) == expected
    dashboard.page.locator(".mw-confusion-chart .heatmapcell").nth(10 * true + wrong).click()
    expect(dashboard.images).to_have_count(30)


@pytest.mark.both_front_ends
def test_the_keyboard_alone_selects_an_image(dashboard):
    dashboard.grid.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        dashboard.page.keyboard.press(key)
    labels = dashboard.look()[2]
    expect(dashboard.sentence).to_contain_text(f"True {labels[12]}.")
    dashboard.lab.expect_in_kernel("lab.panels['gallery'].selected_index", "12")


def test_two_runs_make_two_named_lines(dashboard):
    rate = dashboard.page.get_by_label("Learning rate").first
    rate.fill("0.05")  # before anything is trained: no Reset is needed
    rate.press("Enter")
    dashboard.train(1)
    expect(dashboard.state).to_have_text("Finished")
    dashboard.press("reset")
    expect(dashboard.state).to_have_text("Ready")
    rate.fill("0.003")
    rate.press("Enter")
    dashboard.press("start")
    expect(dashboard.state).to_have_text("Finished")
    key = dashboard.page.locator(".mw-loss-chart .mw-key-of-runs span")
    best = r", best epoch's test accuracy \d+\.\d\s%"
    labels = [f"run 1: lr 0.05{best}$", rf"run 2: lr 0.003{best} \(this run, smoothed\)$"]
    expect(key).to_have_text([re.compile(label) for label in labels])
    assert dashboard.lines() == 3  # each batch and smoothed, and the earlier run
    ticks = dashboard.page.locator(".mw-loss-chart .axis text")
    batches = [re.compile(f"^{number}$") for number in range(0, 51, 10)]
    expect(ticks).to_contain_text(["Batch", *batches])
    set_window_size(dashboard.page, 1280, 2000)
    dashboard.lab.screenshot("dashboard-light")
    dashboard.lab.set_theme(dark=True)
    dashboard.lab.screenshot("dashboard-dark")


def test_a_narrow_window_folds_the_lab_to_one_column(dashboard):
    set_window_size(dashboard.page, 560, 3600)
    panels = dashboard.page.locator(".mw-dashboard .mw-panel")
    dashboard.page.wait_for_function(
        "[...document.querySelectorAll('.mw-dashboard .mw-panel')]"
        ".every((panel, i, all) => i === 0 || panel.getBoundingClientRect().top"
        " >= all[i - 1].getBoundingClientRect().bottom - 1)"
    )
    assert panels.count() == 7
    dashboard.lab.screenshot("dashboard-narrow")
