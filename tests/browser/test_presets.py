"""Presets in a real JupyterLab: from overfitting to a remedy, locked ones, and the picture."""

from __future__ import annotations

import re

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_output_width
from playwright.sync_api import expect

LAB = ".mw-dashboard"
LOWEST = (".mw-image-gallery", ".mw-probability-chart")
# Of the lab in JupyterLab with its file list, at 1440 x 900 and at 1366 x 768 with some scrolling:
VIEWS_PX = ((1008, 775), (934, 643 + 150))
IMPORT = "from mnist_widgets.widgets import dashboard"
GAP = "lab.session.trainer.history.accuracy_gap"


def open_lab(lab, arguments: str) -> None:
    lab.open_notebook([IMPORT, f"lab = dashboard({arguments})\nlab"])
    lab.run_all()
    set_output_width(lab.page, LAB, 1008, 900)


def train(lab) -> float:
    """Train a new run to its end, and return the gap between the accuracies."""
    state = lab.page.locator(".mw-state")
    lab.page.locator(f"{LAB} .mw-reset").click()
    expect(state).to_have_text("Ready")
    lab.page.locator(f"{LAB} .mw-start").click()
    expect(state).to_have_text("Finished", timeout=120_000)
    return float(lab.run_cell(f"print({GAP})"))


def test_a_remedy_from_the_list_makes_the_gap_of_overfitting_smaller(lab):
    open_lab(lab, 'preset="overfitting", lock=["train_images", "label_noise"], guess=True')
    settings = lab.page.locator(".mw-settings")
    watch_for = settings.locator(".mw-watch-for")
    expect(watch_for).to_contain_text("Overfitting: ")
    gap = train(lab)
    for output_px, visible_px in VIEWS_PX:
        set_output_width(lab.page, LAB, output_px, 900)
        for selector in LOWEST:
            top = lab.page.locator(LAB).bounding_box()["y"]
            box = lab.page.locator(selector).bounding_box()
            assert box["y"] + box["height"] - top <= visible_px, (output_px, selector, box)
    set_output_width(lab.page, LAB, 1008, 900)
    settings.get_by_role("button", name="More settings").click()
    presets = settings.get_by_label("Preset")
    remedies = ["None", "Overfitting", "Overfitting with dropout", "Overfitting with augmentation"]
    expect(presets.locator("option")).to_have_text(remedies)
    presets.select_option("Overfitting with dropout")
    expect(watch_for).to_contain_text("Overfitting with dropout: ")
    expect(settings.get_by_label("Dropout", exact=True)).to_have_value("0.7")
    picture = settings.get_by_role("group", name="Picture of the network")
    expect(picture).to_contain_text("407,050 parameters")
    expect(picture.get_by_role("listitem")).to_have_count(4)
    expect(picture).to_contain_text("Dropout 0.7")
    for output_px in (934, 1008):
        set_output_width(lab.page, LAB, output_px, 1500)
        assert not find_lasting_faults(lab.page, LAB)
    assert not find_violations(lab.page, ".mw-settings")
    lab.screenshot("presets-light")
    lab.set_theme(dark=True)
    assert not find_violations(lab.page, ".mw-settings")
    lab.screenshot("presets-dark")
    assert train(lab) < gap
    settings.get_by_label("Dropout", exact=True).fill("0.3")
    settings.get_by_label("Dropout", exact=True).press("Tab")
    expect(watch_for).to_contain_text(re.compile("changed: dropout 0.3"))
    expect(presets).to_have_value("None")
    set_output_width(lab.page, LAB, 480, 2900)
    assert not find_lasting_faults(lab.page, LAB)
    lab.screenshot("presets-narrow")


def test_a_locked_preset_can_be_seen_but_not_changed(lab):
    open_lab(lab, 'preset="linear", lock="preset"')
    settings = lab.page.locator(".mw-settings")
    expect(settings.locator(".mw-watch-for")).to_contain_text("Linear network: ")
    settings.get_by_role("button", name="More settings").click()
    expect(settings.get_by_label("Preset")).to_be_disabled()
    expect(settings.get_by_label("Preset")).to_have_value("Linear network")
    for name in ("Network", "Learning rate", "Training images", "Augmentation"):
        expect(settings.get_by_label(name, exact=True)).to_be_disabled()
    expect(settings.get_by_label("Seed", exact=True)).to_be_enabled()
    expect(lab.page.get_by_label("Epochs", exact=True)).to_be_disabled()


def test_more_settings_stand_in_line_apart_and_uncut(lab):
    open_lab(lab, "epochs=1")
    settings = lab.page.locator(".mw-settings")
    settings.get_by_role("button", name="More settings").click()
    presets = settings.get_by_label("Preset")
    network = settings.locator(".widget-label", has_text="Network")
    expect(presets).to_be_visible()
    for dark in (False, True):
        lab.set_theme(dark)
        lab.screenshot(f"more-settings-{'dark' if dark else 'light'}", ".mw-settings")
    assert presets.bounding_box()["x"] == pytest.approx(network.bounding_box()["x"], abs=1)
    for heading in ("Preset", "Training", "Model", "Data"):
        label = settings.locator(".widget-label", has_text=re.compile(f"^{heading}$"))
        assert label.evaluate("label => getComputedStyle(label).fontWeight") == "700", heading
    fewer = settings.get_by_role("button", name="Fewer settings").bounding_box()
    help_button = settings.get_by_role("button", name="About the settings").bounding_box()
    assert help_button["x"] - (fewer["x"] + fewer["width"]) >= 4
    text = settings.get_by_label("Text", exact=True)
    assert text.evaluate("field => field.scrollWidth - field.clientWidth") <= 0
