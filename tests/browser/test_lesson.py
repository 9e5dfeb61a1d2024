"""The first lesson in a real JupyterLab: its buttons, its charts, and its clicks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from layout import find_lasting_faults, set_window_size
from playwright.sync_api import expect

LESSON = Path(__file__).parents[2] / "notebooks" / "01_training_a_neural_network.ipynb"
PANEL, CHART = ".mw-training-panel", ".mw-loss-chart"
VIEW = [".mw-confusion-chart", ".mw-image-gallery", ".mw-probability-chart"]
VISIBLE_PX = 775
"""How much of a notebook JupyterLab shows in a window of 1440 by 900."""

# The number of trained batches and a fingerprint of the weights, read between two batches.
LOOK = """
import hashlib
def look():
    weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    return len(trainer.history.batch_losses), hashlib.sha256(weights).hexdigest()
print(*session.between_batches(look).result(10))
"""

# The labels of all test images, the network's answers, and a sentence for the selected image.
ASK = """
import json
from mnist_widgets.rendering.image_captions import describe_prediction
def ask():
    probabilities = predict_probabilities(model, test_set.images)
    sentence = describe_prediction(probabilities[gallery.selected_index], test_set.class_names)
    return test_set.labels.tolist(), probabilities.argmax(dim=1).tolist(), sentence
print(json.dumps(session.between_batches(ask).result(10)))
"""


class Lesson:
    """The lesson's panels on the page, and its training in the kernel."""

    def __init__(self, lab) -> None:
        self.lab = lab
        self.status = lab.page.locator(f"{PANEL} .mw-status")
        self.caption = lab.page.locator(f"{CHART} .mw-caption")
        self.state = lab.page.locator(f"{PANEL} .mw-state")
        self.epochs = lab.page.get_by_label("Epochs")
        self.matrix = lab.page.locator(".mw-confusion-chart")
        self.gallery = lab.page.locator(".mw-image-gallery")
        self.images = lab.page.locator(".mw-image-gallery [role=option]:visible")
        self.sentence = lab.page.locator(".mw-probability-chart .mw-caption")

    def click(self, name: str) -> None:
        self.lab.page.locator(f"{PANEL} .mw-{name}").click()

    def expect_state(self, state: str) -> None:
        expect(self.state).to_have_text(state)

    def look(self) -> tuple[int, str]:
        """Return the number of batches trained and a fingerprint of the weights."""
        num_batches, weights = self.lab.run_cell(LOOK).split()
        return int(num_batches), weights

    def expect_answer(self, index: int) -> None:
        """Expect the chart to say what the network makes of the selected image."""
        labels, _, answer = json.loads(self.lab.run_cell(ASK))
        expect(self.sentence).to_have_text(f"True {labels[index]}. The network says {answer}.")

    def drawn(self) -> str:
        """Return the path of the loss lines as the chart draws them."""
        paths = self.lab.page.locator(f"{CHART} .bqplot path.line")
        return paths.evaluate_all("paths => paths.map(path => path.getAttribute('d')).join()")

    def wait_for_another_line(self, line: str) -> None:
        """Wait until the chart draws other lines than `line`, which `drawn` returned."""
        self.lab.page.wait_for_function(
            "([selector, line]) => [...document.querySelectorAll(selector)]"
            ".map(path => path.getAttribute('d')).join() !== line",
            arg=[f"{CHART} .bqplot path.line", line],
        )

    def expect_drawn(self, num_batches: int) -> None:
        """Expect the chart's caption to count so many batches."""
        batches = rf"(Batch {num_batches:,}: | in {num_batches:,} batches[;.])"
        expect(self.caption).to_have_text(re.compile(batches))


@pytest.fixture
def lesson(lab):
    """The first lesson after Run All."""
    lab.open_notebook(LESSON)
    lab.run_all()
    lab.scroll_to(PANEL)
    return Lesson(lab)


def test_run_all_trains_the_network_and_draws_its_loss(lesson):
    lesson.expect_state("Finished")
    expect(lesson.status).to_contain_text("Epoch 3 of 3")
    expect(lesson.lab.page.locator(f"{PANEL} .mw-percent")).to_have_text("100 %")
    num_batches, _ = lesson.look()
    assert num_batches == 3 * 45
    lesson.expect_drawn(num_batches)
    assert lesson.drawn()
    lesson.expect_answer(0)
    lesson.lab.screenshot("lesson-light")
    lesson.lab.set_theme(dark=True)
    lesson.lab.scroll_to(PANEL)
    lesson.lab.screenshot("lesson-dark")


def test_clicks_lead_from_the_confusion_matrix_to_images_and_to_probabilities(lesson):
    lesson.images.nth(12).click()
    lesson.expect_answer(12)

    labels, answers, _ = json.loads(lesson.lab.run_cell(ASK))
    pairs = list(zip(labels, answers, strict=True))
    true, wrong = next(
        pair
        for pair in pairs
        if pair[0] != pair[1] and pairs.count(pair) != pairs.count(pair[::-1])
    )
    expected = [index for index, pair in enumerate(pairs) if pair == (true, wrong)]
    cell = lesson.matrix.locator(".heatmapcell").nth(10 * true + wrong)
    cell.click()
    expect(lesson.images).to_have_count(len(expected))
    shown = lesson.lab.run_cell("print(sorted(gallery.visible_indices.tolist()))")
    assert json.loads(shown) == expected
    lesson.images.first.click()
    lesson.expect_answer(expected[0])
    lesson.lab.scroll_to(".mw-confusion-chart")
    lesson.lab.screenshot("lesson-confusion-light")
    lesson.lab.set_theme(dark=True)
    lesson.lab.screenshot("lesson-confusion-dark")
    cell.click()
    expect(lesson.images).to_have_count(30)


def test_what_a_click_changes_is_in_one_view_with_it(lesson):
    page = lesson.lab.page
    set_window_size(page, 1170, 900)
    for shown in ([PANEL, CHART], VIEW):
        boxes = [page.locator(selector).bounding_box() for selector in shown]
        bottom = max(box["y"] + box["height"] for box in boxes)
        assert bottom - boxes[0]["y"] <= VISIBLE_PX, boxes
    matrix, gallery, prediction = boxes
    assert matrix["x"] + matrix["width"] <= gallery["x"]
    assert gallery["y"] + gallery["height"] <= prediction["y"]


def test_the_predictions_follow_the_training(lesson):
    counted = lesson.matrix.locator(".mw-caption").inner_text()
    lesson.epochs.fill("2000")
    lesson.epochs.press("Enter")
    lesson.click("start")
    expect(lesson.matrix.locator(".mw-caption")).not_to_have_text(counted)
    lesson.images.nth(5).click()
    labels, _, _ = json.loads(lesson.lab.run_cell(ASK))
    expect(lesson.sentence).to_contain_text(f"True {labels[5]}.")
    lesson.click("stop")
    lesson.expect_state("Stopped")
    lesson.expect_answer(5)
    lesson.click("reset")
    lesson.expect_state("Ready")
    lesson.expect_answer(5)
    expect(lesson.matrix.locator(".mw-caption")).to_contain_text("Nothing has been evaluated yet")


def test_the_buttons_steer_a_training_that_runs(lesson):
    lesson.epochs.fill("2000")
    lesson.epochs.press("Enter")
    lesson.click("reset")
    lesson.expect_state("Ready")
    expect(lesson.caption).to_have_text("No batch has been trained yet.")
    begun = lesson.look()
    assert begun[0] == 0

    lesson.click("start")
    lesson.expect_state("Training")
    line = lesson.drawn()
    expect(lesson.caption).not_to_have_text("No batch has been trained yet.")
    lesson.wait_for_another_line(line)

    lesson.click("pause")
    lesson.expect_state("Paused")
    paused = lesson.look()
    lesson.expect_drawn(paused[0])
    line = lesson.drawn()
    assert lesson.look() == paused
    assert lesson.drawn() == line

    lesson.click("step")
    lesson.expect_drawn(paused[0] + 1)
    stepped = lesson.look()
    assert stepped[0] == paused[0] + 1
    assert stepped[1] != paused[1]
    assert lesson.drawn() != line

    words = lesson.caption.inner_text()
    lesson.click("pause")  # it says Resume now
    lesson.expect_state("Training")
    expect(lesson.caption).not_to_have_text(words)
    lesson.click("stop")
    lesson.expect_state("Stopped")
    stopped = lesson.look()
    assert stopped[0] > stepped[0]
    lesson.expect_drawn(stopped[0])

    lesson.click("reset")
    lesson.expect_state("Ready")
    assert lesson.look() == begun
    lesson.click("start")
    lesson.expect_state("Training")
    lesson.click("stop")
    lesson.expect_state("Stopped")


def test_the_buttons_work_while_a_cell_awaits_the_training(lesson):
    lesson.lab.run_cell("session.reset(); num_epochs = 2000")
    lesson.lab.page.evaluate(
        """() => {
            const {kernel} = window.jupyterapp.shell.currentWidget.sessionContext.session;
            const code = 'session.start(2000); await session.finished()';
            window.waiting = kernel.requestExecute({code}).done;
        }"""
    )
    lesson.expect_state("Training")
    lesson.click("pause")
    lesson.expect_state("Paused")
    lesson.click("stop")
    lesson.expect_state("Stopped")
    reply = lesson.lab.page.evaluate("async () => (await window.waiting).content.status")
    assert reply == "ok"


def test_a_crash_in_the_training_turns_the_panel_red_and_join_raises_it(lesson):
    lesson.lab.run_cell(
        "def crash(*_): raise ValueError('the planted error')\ntrainer.train_step = crash"
    )
    lesson.click("start")
    lesson.expect_state("Failed")
    panel = lesson.lab.page.locator(PANEL)
    expect(panel.locator(".mw-status")).to_contain_text("ValueError: the planted error")
    background = panel.evaluate("element => getComputedStyle(element).backgroundColor")
    red, green, blue = (int(part) for part in background[4:-1].split(","))
    assert red > green
    assert red > blue
    panel.get_by_text("Traceback", exact=True).click()
    expect(panel.locator("pre")).to_contain_text("in crash")
    lesson.lab.screenshot("lesson-failed")
    with pytest.raises(AssertionError, match="the planted error"):
        lesson.lab.run_cell("session.join()")


def test_the_log_switch_and_the_smoothing_redraw_a_chart_without_a_training(lesson):
    line = lesson.drawn()
    lesson.lab.page.get_by_label("Log scale").check()
    labels = lesson.lab.page.locator(f"{CHART} .axis text")
    expect(labels.filter(has_text="0.2").first).to_be_visible()
    lesson.wait_for_another_line(line)
    lesson.lab.screenshot("lesson-log", CHART)
    line = lesson.drawn()
    smoothing = lesson.lab.page.get_by_label("Smoothing")
    smoothing.fill("0.2")
    smoothing.press("Enter")
    lesson.wait_for_another_line(line)


def test_a_narrow_window_cuts_nothing_off(lesson):
    set_window_size(lesson.lab.page, 480, 900)
    lesson.lab.scroll_to(PANEL)
    lesson.lab.screenshot("lesson-narrow")
    for selector in (PANEL, CHART, *VIEW):
        lesson.lab.scroll_to(selector)  # bqplot lays out only what is in view
        faults = find_lasting_faults(lesson.lab.page, selector)
        assert not faults, f"{selector}: {faults}"


def test_the_keyboard_alone_reaches_and_presses_the_buttons(lesson):
    lesson.lab.page.locator(f"{PANEL} .mw-start").focus()
    lesson.lab.page.keyboard.press("Tab")  # Pause is disabled, so this is Step
    focused = lesson.lab.page.locator(":focus")
    expect(focused).to_have_text("Step")
    before, _ = lesson.look()
    lesson.lab.page.keyboard.press("Enter")
    lesson.expect_drawn(before + 1)
    expect(lesson.lab.page.get_by_role("button", name="Resume")).to_be_enabled()
