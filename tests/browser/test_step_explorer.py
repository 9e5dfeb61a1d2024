"""One training step in its moves: by keyboard, in all states of the session, in the lab."""

from __future__ import annotations

import re

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_output_width, set_window_size
from playwright.sync_api import expect

EXPLORER = ".mw-step-explorer"
CELLS = [
    """
import torch
from mnist_widgets import Evaluator, SimpleNet, Trainer, TrainingSession, load_bundled_digits
from mnist_widgets.widgets import StepExplorer, TrainingPanel
torch.manual_seed(0)
train_set, test_set = load_bundled_digits()
model = SimpleNet(28 * 28, 10, hidden_units=64)
batches, evaluator = train_set.batches(32, shuffle=True), Evaluator(test_set.batches(512))
optimizer = torch.optim.Adam(model.parameters())
loss_fn = torch.nn.CrossEntropyLoss()
session = TrainingSession(Trainer(model, loss_fn, optimizer, batches, evaluator=evaluator))
TrainingPanel(session, epochs=2000)
""",
    "explorer = StepExplorer(session, lambda: 2000)\nexplorer",
]
MOVES = [
    "Data sampling",
    "Forward pass",
    "Loss computation",
    "Backward pass",
    "Parameters update",
]
MAX_STOPS = 40
LOSSES = "session.trainer.history.batch_losses"


class Explorer:
    """The explorer on a page, and the page."""

    def __init__(self, lab) -> None:
        self.lab, self.page = lab, lab.page
        self.panel = lab.page.locator(EXPLORER)
        self.take = self.panel.locator(".mw-take")
        self.status = self.panel.locator(".mw-status")
        self.content = self.panel.locator(".mw-step-content")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go_to(self, target, key: str = "Tab") -> None:
        """Press a key until an element has the focus."""
        for _ in range(MAX_STOPS):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.press(key)
        raise AssertionError(f"{MAX_STOPS} times {key} did not lead to {target}")

    def expect_move(self, number: int) -> None:
        expect(self.content.locator("h4")).to_have_text(f"{number}. {MOVES[number - 1]}")
        expect(self.content).to_have_accessible_name(f"{number} {MOVES[number - 1]}")
        selected = self.panel.locator(".mw-move[aria-selected=true]")
        expect(selected).to_have_accessible_name(f"{number} {MOVES[number - 1]}")

    def take_step(self) -> None:
        self.take.click()
        expect(self.status).to_contain_text("Shown: the step of batch")

    def click(self, name: str) -> None:
        self.page.locator(f".mw-training-panel .mw-{name}").click()


@pytest.fixture
def explorer(lab):
    set_window_size(lab.page, 1440, 1300)
    lab.open_notebook(CELLS)
    lab.run_all()
    expect(lab.page.locator(EXPLORER)).to_be_visible()
    return Explorer(lab)


@pytest.mark.both_front_ends
def test_a_whole_step_by_keyboard(lab):
    set_window_size(lab.page, 1440, 1300)
    lab.open_notebook(CELLS)
    lab.run_all()
    explorer = Explorer(lab)
    panel, take = explorer.panel, explorer.take
    lab.page.locator(".mw-training-panel .mw-reset").focus()
    explorer.go_to(take)
    explorer.press("Enter")
    expect(explorer.status).to_contain_text("batch 1 of 45 in epoch 1")
    expect(take).to_be_focused()
    assert lab.run_cell(f"print(len({LOSSES}))").strip() == "1"
    explorer.expect_move(1)

    # the focus stays on the button, on Next and Back, and moves along with the tabs
    explorer.press("ArrowRight")
    explorer.expect_move(2)
    expect(take).to_be_focused()
    tab = panel.locator(".mw-move[aria-selected=true]")
    explorer.go_to(tab)
    explorer.press("ArrowRight")
    explorer.expect_move(3)
    expect(tab).to_be_focused()
    explorer.press("End")
    explorer.expect_move(5)
    explorer.press("ArrowRight")
    explorer.expect_move(5)
    explorer.press("Home", "ArrowLeft")
    explorer.expect_move(1)
    following = panel.locator(".mw-move-next")
    explorer.go_to(following)
    for number in (2, 3, 4, 5):
        explorer.press("Enter")
        explorer.expect_move(number)
    explorer.press("Space")
    explorer.expect_move(5)
    expect(following).to_be_focused()
    back = panel.locator(".mw-move-back")
    explorer.go_to(back, "Shift+Tab")
    explorer.press("Space")
    explorer.expect_move(4)
    expect(back).to_be_focused()
    spoken = panel.locator(".mw-spoken[role=status]")
    expect(spoken.first).to_contain_text("4 of 5: Backward pass. ")
    lab.screenshot(f"steps-keyboard-{lab.front_end}")


def test_fields_lists_and_images_keep_their_keys(explorer):
    lab, panel = explorer.lab, explorer.panel
    explorer.take_step()
    explorer.press("End", "ArrowLeft")
    explorer.expect_move(4)
    unit, weight = panel.get_by_label("Unit"), panel.get_by_label("Weight")
    explorer.go_to(unit)
    explorer.press("Control+a", "5", "Enter")
    lab.expect_in_kernel("explorer.choice.unit", "5")
    explorer.press("ArrowUp")
    lab.expect_in_kernel("explorer.choice.unit", "6")
    explorer.expect_move(4)
    explorer.go_to(weight)
    explorer.press("Control+a", *"400", "Enter")
    expect(explorer.content).to_contain_text(re.compile("weight 400 .* of unit 6"))
    code = panel.get_by_role("button", name="As code")
    explorer.go_to(code)
    explorer.press("Enter")
    expect(panel.locator(".mw-code")).to_contain_text("record.")
    explorer.press("Home")
    explorer.expect_move(1)
    images = panel.get_by_role("listbox", name="The batch")
    explorer.go_to(images, "Shift+Tab")
    explorer.press("Home", "ArrowRight", "ArrowDown", "Enter")
    lab.expect_in_kernel("explorer.choice.image", "13")
    expect(explorer.content).to_contain_text("image 13")
    explorer.expect_move(1)
    assert lab.run_cell(f"print(len({LOSSES}))").strip() == "1"


def test_a_walk_survives_start_pause_reset_and_close(explorer):
    explorer.take_step()
    explorer.panel.locator(".mw-move-next").click()
    explorer.expect_move(2)
    explorer.lab.run_cell("first = explorer.record")

    explorer.click("pause")  # Resume
    expect(explorer.take).to_be_disabled()
    expect(explorer.status).to_contain_text("pause or stop it to take a step")
    explorer.panel.locator(".mw-move-next").click()
    explorer.expect_move(3)
    explorer.lab.screenshot("steps-running", EXPLORER)
    explorer.click("stop")
    expect(explorer.take).to_be_enabled()
    expect(explorer.status).to_contain_text(re.compile(r"trained on [\d,]+ more batch"))
    explorer.lab.expect_in_kernel("explorer.record is first", "True")

    explorer.click("reset")
    expect(explorer.status).to_contain_text("was reset since then")
    explorer.panel.locator(".mw-move-next").click()
    explorer.expect_move(4)
    explorer.lab.screenshot("steps-reset", EXPLORER)
    explorer.take_step()
    expect(explorer.status).not_to_contain_text("reset")
    explorer.expect_move(4)
    explorer.lab.expect_in_kernel("explorer.record is first", "False")

    explorer.lab.run_cell("session.close()")
    expect(explorer.take).to_be_disabled()
    expect(explorer.status).to_contain_text("closed")
    explorer.panel.locator(".mw-move-back").click()
    explorer.expect_move(3)
    explorer.lab.run_cell("explorer.close()")
    expect(explorer.panel).to_have_count(0)


def test_a_walk_survives_an_interrupt(explorer):
    explorer.take_step()
    page = explorer.page
    page.evaluate(
        "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute("
        "{code: 'session.resume(); session.join()'})"
    )
    expect(page.locator(".mw-training-panel .mw-state")).to_have_text("Training")
    expect(explorer.take).to_be_disabled()
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")
    expect(page.locator(".mw-training-panel .mw-state")).to_have_text("Stopped")
    expect(explorer.take).to_be_enabled()
    expect(explorer.status).to_contain_text("more batch")
    explorer.panel.locator(".mw-move-next").click()
    explorer.expect_move(2)
    explorer.take_step()
    expect(explorer.status).not_to_contain_text("more batch")


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_and_axe_finds_no_violation(explorer, dark):
    lab, page = explorer.lab, explorer.page
    lab.set_theme(dark=dark)
    theme = "dark" if dark else "light"
    lab.screenshot(f"steps-first-{theme}", EXPLORER)
    explorer.take_step()
    explorer.panel.get_by_role("button", name="As code").click()
    expect(explorer.panel.locator(".mw-code")).to_be_visible()
    found = []
    for output_px in (1008, 420):
        heights = []
        set_output_width(page, EXPLORER, output_px, 1900)
        for number, tab in enumerate(explorer.panel.locator(".mw-move").all(), 1):
            tab.click()
            explorer.expect_move(number)
            page.mouse.move(0, 0)
            where = f"move {number} at {output_px} px"
            found += [f"{where}: {fault}" for fault in find_lasting_faults(page, EXPLORER)]
            found += [f"{where}: {violation}" for violation in find_violations(page, EXPLORER)]
            lab.screenshot(f"steps-{output_px}-{theme}-{number}", EXPLORER)
            heights.append(explorer.panel.bounding_box()["height"])
        if output_px > 1000:
            assert max(heights) - min(heights) < 30, heights
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_the_height_does_not_depend_on_the_numbers(explorer, scale):
    lab, page = explorer.lab, explorer.page
    lab.run_cell(f"with torch.no_grad():\n    for weight in model.parameters(): weight *= {scale}")
    explorer.take_step()
    set_output_width(page, EXPLORER, 1008, 1900)
    heights = []
    for number, tab in enumerate(explorer.panel.locator(".mw-move").all(), 1):
        tab.click()
        explorer.expect_move(number)
        assert not find_lasting_faults(page, EXPLORER), f"move {number}"
        lab.screenshot(f"steps-times-{scale}-{number}", EXPLORER)
        heights.append(explorer.panel.bounding_box()["height"])
    assert max(heights) - min(heights) < 30, heights


def test_targets_are_large_enough(explorer):
    """At least 24 by 24 pixels: WCAG 2.2, criterion 2.5.8."""
    explorer.take_step()
    for target in explorer.panel.locator(":is(button, select, input, [role=option])").all():
        if target.is_visible():
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 24, target.evaluate("e => e.outerHTML")


def test_the_lab_opens_it_below_the_panels(lab):
    lab.open_notebook(["from mnist_widgets.widgets import dashboard\nlab = dashboard()\nlab"])
    lab.run_all()
    page = lab.page
    button = page.get_by_role("button", name="Look inside one step")
    expect(page.locator(EXPLORER)).to_have_count(0)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(EXPLORER)).to_be_visible()
    explorer = Explorer(lab)
    explorer.take_step()
    expect(page.locator(".mw-loss-chart .mw-caption")).to_contain_text("1")
    set_output_width(page, ".mw-dashboard", 1008, 1900)
    lab.screenshot("steps-lab", ".mw-dashboard")
    assert not find_lasting_faults(page, ".mw-dashboard")
    page.get_by_role("button", name="Close the step").click()
    expect(page.locator(EXPLORER)).to_be_hidden()
