"""The lab in Voila, which shows a notebook as a page without code."""

from __future__ import annotations

from pathlib import Path

from layout import find_lasting_faults, set_window_size
from playwright.sync_api import expect
from watched_page import start_training_and_pick_an_image

from mnist_widgets import load_bundled_digits

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "dashboard.ipynb"
LABELS = load_bundled_digits()[1].labels.tolist()


def test_a_visitor_sees_no_code_and_trains_and_selects_an_image(voila):
    page = voila.page
    voila.open_notebook(NOTEBOOK)
    sentence = page.locator(".mw-probability-chart .mw-caption")
    expect(sentence).to_contain_text(f"True {LABELS[0]}. The network says")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Watch a network learn")
    expect(page.locator(".mw-dashboard .mw-panel")).to_have_count(7)
    expect(page.locator(".jp-InputArea-editor")).to_have_count(0)

    start_training_and_pick_an_image(page, 12)
    state = page.locator(".mw-training-panel .mw-state")
    assert LABELS[12] != LABELS[0]
    expect(sentence).to_contain_text(f"True {LABELS[12]}.")
    expect(state).to_have_text("Training")
    voila.screenshot("voila-training")
    page.locator(".mw-training-panel .mw-stop").click()
    expect(state).to_have_text("Stopped")
    set_window_size(page, 1440, 900)
    voila.scroll_to(".mw-dashboard .mw-training-panel")
    assert not (faults := find_lasting_faults(page, ".mw-dashboard")), faults
    voila.screenshot("voila-stopped")
