"""Static views: hidden beside the live panels, shown in a notebook without a kernel.

One test runs in Notebook 7 too, since each front end lays out and hides outputs differently.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

CHART = [
    """
from mnist_widgets import RunConfig, TrainingSession, load_digits
from mnist_widgets.widgets import LossChart, TrainingPanel
train_set, test_set = load_digits()
chart = LossChart()
session = TrainingSession(RunConfig(batch_size=32).build(train_set, test_set, [chart]))
TrainingPanel(session, epochs=2)
""",
    "chart",
]
DASHBOARD = [
    "from mnist_widgets import load_digits\nfrom mnist_widgets.widgets import dashboard",
    "lab = dashboard(data=load_digits(), epochs=2)\nlab",
]
# whether a static view in the notebook on the page contains these words
IS_WRITTEN = """words => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
    .flatMap(cell => cell.outputs ?? [])
    .some(output => output.data?.['text/html']?.toLowerCase().includes(words))"""
GAPS = """() => [...document.querySelectorAll('.jp-OutputArea-child')]
    .filter(child => child.querySelector(':scope > * > .mw-static'))
    .map(child => child.getBoundingClientRect().height)"""


def train(lab) -> None:
    lab.page.locator(".mw-training-panel .mw-start").click()
    expect(lab.page.locator(".mw-training-panel .mw-state")).to_have_text("Finished")
    for words in ("finished. epoch 2 of 2", "mean loss"):  # each view is written at its own time
        lab.page.wait_for_function(IS_WRITTEN, arg=words)


def expect_no_trace(lab, num_views: int) -> None:
    """Expect static views that take no room and that screen readers do not read."""
    expect(lab.page.locator(".mw-static")).to_have_count(num_views)
    assert lab.page.evaluate(GAPS) == [0] * num_views
    assert not lab.page.get_by_alt_text("Loss curve").is_visible()
    assert "To see it live" not in lab.page.locator("body").aria_snapshot()


@pytest.mark.both_front_ends
def test_a_reopened_notebook_shows_what_the_panels_showed_trusted_or_not(lab):
    lab.open_notebook(CHART)
    lab.run_all()
    expect(lab.page.locator(".mw-loss-chart")).to_be_visible()
    train(lab)
    expect_no_trace(lab, 2)
    lab.screenshot("static-view-live")
    notebook = lab.save()
    lab.expected_error = "widget model not found"  # the panels are gone
    lab.reopen()
    expect(lab.page.locator(".mw-static").first).to_contain_text("Finished. Epoch 2 of 2")
    picture = lab.page.get_by_alt_text(re.compile(r"^Loss curve\. .*\b90\b"))
    expect(picture).to_be_visible()
    assert picture.evaluate("img => [img.naturalWidth, img.width]") == [1280, 640]
    excuse = lab.page.get_by_text("Error displaying widget").first
    expect(excuse).to_be_attached()
    expect(excuse).to_be_hidden()
    lab.screenshot("static-view-reopened")
    notebook.cells[1].source = "chart  # changed, so that the server does not trust it"
    lab.load_notebook(notebook)
    expect(picture).to_be_visible()
    expect(lab.page.get_by_text("LossChart, live while its kernel runs")).to_be_visible()
    expect(lab.page.locator(".mw-static style")).to_have_count(0)
    lab.screenshot("static-view-submission")
    lab.problems.clear()  # the console says that the panels are gone


def test_a_reopened_dashboard_shows_all_its_panels_in_both_themes(lab):
    lab.open_notebook(DASHBOARD)
    lab.run_all()
    train(lab)
    expect_no_trace(lab, 1)
    lab.page.locator(".mw-image-gallery [role=option]:visible").nth(12).click()
    caption = lab.page.locator(".mw-image-gallery .mw-caption")
    expect(caption).to_contain_text("Image 12: true ")
    sentence = lab.page.locator(".mw-probability-chart .mw-caption").inner_text()
    lab.page.wait_for_function(
        IS_WRITTEN, arg=sentence.lower()
    )  # it is written some time after the click
    views = [
        output.data["text/html"]
        for output in lab.save().cells[1].outputs
        if "mw-static" in output.get("data", {}).get("text/html", "")
    ]
    assert [20_000 < len(view) < 100_000 for view in views] == [True]
    lab.expected_error = "widget model not found"  # the panels are gone
    lab.reopen()
    view = lab.page.locator(".mw-static")
    expect(view.locator("h3")).to_have_text(
        ["Training", "Settings", "Loss", "Test images", "Prediction", "Confusion matrix", "Runs"]
    )
    expect(view.locator("img")).to_have_count(4)
    for is_dark in (False, True):
        lab.set_theme(dark=is_dark)
        for number in range(4):
            view.locator("img").nth(number).scroll_into_view_if_needed()
            lab.screenshot(f"static-view-dashboard-{'dark' if is_dark else 'light'}-{number}")
    lab.problems.clear()


def test_a_panel_that_was_closed_leaves_its_static_view_to_be_seen(lab):
    lab.open_notebook(CHART)
    lab.run_all()
    expect_no_trace(lab, 2)
    lab.run_cell("chart.add_batch(1.5); chart.close()")
    expect(lab.page.get_by_alt_text("Loss curve. Batch 1: loss 1.50")).to_be_visible()


def test_writing_the_static_view_leaves_the_live_panel_alone(lab):
    lab.open_notebook(CHART)
    lab.run_all()
    field = lab.page.get_by_label("Smoothing")
    field.focus()
    marked = lab.page.locator(".mw-loss-chart")
    marked.evaluate("panel => panel.dataset.same = 'yes'")
    lab.run_cell("session.start(2)")
    for words in ("finished. epoch 2 of 2", "mean loss"):  # each view is written at its own time
        lab.page.wait_for_function(IS_WRITTEN, arg=words)
    expect(marked).to_have_attribute("data-same", "yes")
    expect(field).to_be_focused()
