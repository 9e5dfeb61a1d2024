"""Accessibility: axe-core, names and tables of charts, captions read aloud, files."""

from __future__ import annotations

import pytest
from axe import find_violations
from layout import set_window_size
from playwright.sync_api import expect
from watched_page import AFTER_AN_EPOCH

MIN_TABLE_PX = 100  # some rows
LAB = ["from mnist_widgets.widgets import dashboard\nlab = dashboard(epochs=2)\nlab"]
DRAW_ALL = """
from mnist_widgets.widgets.redraws import scheduler
lab.session.between_batches(lambda: None).result(30)
scheduler.flush()
"""
# Keep what screen readers read aloud.
RECORD_SPEECH = """() => {
    window.heard = [];
    new MutationObserver(changes => {
        for (const {target} of changes) {
            const isLive = target.matches?.("[role=status], [aria-live=polite]");
            if (isLive && target.textContent.trim()) window.heard.push(target.textContent);
        }
    }).observe(document.querySelector(".mw-dashboard"), {subtree: true, childList: true});
}"""
CHARTS = {
    "Loss chart": ".mw-loss-chart",
    "Confusion matrix": ".mw-confusion-chart",
    "Images": ".mw-image-gallery",
    "Prediction": ".mw-probability-chart",
}


@pytest.fixture
def trained(lab):
    """A lab after two epochs with a selected image, all of it in view, as axe-core needs it."""
    set_window_size(lab.page, 1280, 1800)
    lab.open_notebook(LAB)
    lab.run_all()
    lab.page.locator(".mw-dashboard .mw-start").click()
    expect(lab.page.locator(".mw-state")).to_have_text("Finished")
    lab.run_cell(DRAW_ALL)  # the matrix comes a moment after the state
    lab.page.locator(".mw-grid-image").nth(3).click()
    expect(lab.page.locator(".mw-probability-chart .mw-caption")).to_contain_text("True")
    return lab


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_violation_in_the_lab(trained, dark):
    trained.set_theme(dark=dark)
    page = trained.page
    page.get_by_role("button", name="More settings").click()
    for chart in CHARTS.values():
        page.locator(f"{chart} .mw-data-button").click()
        expect(page.locator(f"{chart} .mw-data table")).to_be_visible()
    violations = find_violations(page, ".mw-dashboard")
    for chart in CHARTS.values():
        page.locator(f"{chart} .mw-data-button").click()
    violations += find_violations(page, ".mw-dashboard")
    assert not violations, "\n".join(violations)


def test_targets_are_large_enough(trained):
    """At least 24 by 24 pixels: WCAG 2.2, criterion 2.5.8."""
    targets = trained.page.locator(
        ".mw-dashboard :is(button, select, summary, input:not([type=checkbox]), [role=option])"
    )
    for target in targets.all():
        if target.is_visible():
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 24, target.evaluate("e => e.outerHTML")
    for label in trained.page.locator(".mw-dashboard .widget-checkbox label").all():
        if label.is_visible():
            assert label.bounding_box()["height"] >= 24, label.inner_text()


def test_each_chart_has_a_name_a_sentence_and_a_table(trained):
    page = trained.page
    for name, selector in CHARTS.items():
        chart = page.locator(selector)
        named = chart.get_by_role("img", name=name, exact=True)
        if name == "Images":
            named = chart.get_by_role("listbox")
        expect(named).to_have_accessible_description(chart.locator(".mw-caption").inner_text())
        chart.get_by_role("button", name="Data").click()
        region = chart.get_by_role("region")
        table = region.get_by_role("table")
        expect(table).to_be_visible()
        assert region.bounding_box()["height"] > MIN_TABLE_PX, name
        assert table.get_by_role("row").count() > 5
        chart.get_by_role("button", name="Data").click()
        expect(table).to_have_count(0)


def test_a_caption_is_read_aloud_once_the_training_rests(trained):
    page = trained.page
    spoken = page.locator(".mw-loss-chart [aria-live=polite]")
    caption = page.locator(".mw-loss-chart .mw-caption")
    page.get_by_label("Epochs").fill("2000")
    page.get_by_label("Epochs").press("Enter")
    page.locator(".mw-dashboard .mw-start").click()
    for _ in range(3):
        words = caption.inner_text()
        expect(caption).not_to_have_text(words)
        assert spoken.inner_text() == ""
    page.locator(".mw-dashboard .mw-pause").click()
    expect(page.locator(".mw-state")).to_have_text("Paused")
    expect(spoken).to_contain_text(AFTER_AN_EPOCH)
    assert spoken.inner_text() == caption.inner_text()


def test_a_run_and_a_reset_are_read_aloud_in_few_words(trained):
    page = trained.page
    page.evaluate(RECORD_SPEECH)
    page.locator(".mw-grid-image").nth(7).click()  # what was said before is done with
    page.wait_for_function("heard.some(words => words.includes('The network says'))")
    page.evaluate("heard.splice(0)")
    page.locator(".mw-dashboard .mw-start").click()
    expect(page.locator(".mw-state")).to_have_text("Finished")
    page.wait_for_function("heard.some(words => words.startsWith('Accuracy'))")
    page.wait_for_function("heard.some(words => words.startsWith('Loss'))")
    heard = page.evaluate("heard.splice(0)")
    begins = [words.split()[0].rstrip(".") for words in heard]
    # the accuracy twice where the last epoch's comes late
    assert set(begins) == {"Accuracy", "Finished", "Loss", "Training"}, heard
    page.locator(".mw-dashboard .mw-reset").click()
    page.wait_for_function("heard.some(words => words.startsWith('Ready'))")
    page.evaluate("heard.splice(0, heard.findIndex(words => words.startsWith('Ready')))")
    page.locator(".mw-grid-image").nth(5).click()  # is read after what a reset might say
    page.wait_for_function("heard.some(words => words.includes('The network says'))")
    heard = page.evaluate("heard")
    assert [words.split()[0] for words in heard] == ["Ready.", "True"], heard


def test_the_save_menu_gives_a_picture_and_a_table(trained):
    chart = trained.page.locator(".mw-confusion-chart")
    for choice, ending, begin in (("Picture", "png", b"\x89PNG"), ("Numbers", "csv", b"true,")):
        chart.locator("summary").click()
        with trained.page.expect_download() as download:
            chart.get_by_role("button", name=choice).click()
        assert download.value.suggested_filename == f"confusion_matrix.{ending}"
        assert download.value.path().read_bytes().startswith(begin)


def test_axe_would_find_a_violation(trained):
    trained.page.evaluate(
        "document.querySelector('.mw-dashboard').insertAdjacentHTML('beforeend', "
        "'<button></button><p style=\"color: #999; background: #fff\">pale</p>')"
    )
    found = "\n".join(find_violations(trained.page, ".mw-dashboard"))
    assert "button-name" in found
    assert "color-contrast" in found
