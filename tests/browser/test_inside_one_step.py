"""The third lesson in a real JupyterLab: a step from its first move to the last, and a finding."""

from __future__ import annotations

from pathlib import Path

from layout import set_window_size
from playwright.sync_api import expect

LESSON = Path(__file__).parents[2] / "notebooks" / "03_inside_one_step.ipynb"
EXPLORER = ".mw-step-explorer"
MOVES = (
    "1. Data sampling",
    "2. Forward pass",
    "3. Loss computation",
    "4. Backward pass",
    "5. Parameters update",
)


def test_one_step_from_the_first_move_to_the_last_and_a_finding(lab):
    set_window_size(lab.page, 1440, 900)
    lab.open_notebook(LESSON)
    lab.run_all()
    page = lab.page
    explorers = page.locator(EXPLORER)
    expect(explorers).to_have_count(3)  # the first step, a late one, and the forgetful one
    first, _late, forgetful = explorers.all()
    following = first.locator(".mw-move-next")
    expect(first.locator("h4")).to_have_text(MOVES[0])
    for move in MOVES[1:]:
        following.click()
        expect(first.locator("h4")).to_have_text(move)
    expect(first.get_by_role("table").first).to_contain_text("by SGD")
    lab.scroll_to(EXPLORER)
    lab.screenshot("inside-one-step-light")

    expect(forgetful.locator("h4")).to_have_text(MOVES[3])
    expect(forgetful).to_contain_text("forgetful_step")
    expect(forgetful).to_contain_text("did not call zero_grad()")
    panel = page.locator(".mw-training-panel")
    expect(panel.locator(".mw-state")).to_have_text("Finished")
    finding = lab.run_cell("print(monitor.findings[-1].name)").strip()
    expect(panel).to_contain_text(f"{finding.capitalize()}.")
    expect(panel.get_by_role("button", name=f"About the finding: {finding}")).to_be_visible()
    lab.scroll_to(".mw-training-panel")
    lab.screenshot("inside-one-step-finding-light")
