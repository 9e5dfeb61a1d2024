"""Presets in a real JupyterLab."""

from __future__ import annotations

from layout import set_output_width
from playwright.sync_api import expect

LAB = ".mw-dashboard"
IMPORT = "from mnist_widgets.widgets import dashboard"


def open_lab(lab, arguments: str) -> None:
    lab.open_notebook([IMPORT, f"lab = dashboard({arguments})\nlab"])
    lab.run_all()
    set_output_width(lab.page, LAB, 1008, 900)


def test_a_locked_preset_can_be_seen_but_not_changed(lab):
    open_lab(lab, 'preset="linear", lock="preset"')
    settings = lab.page.locator(".mw-settings")
    expect(settings.locator(".mw-watch-for")).to_contain_text("Linear network: ")
    settings.get_by_role("button", name="More settings").click()
    expect(settings.get_by_label("Preset")).to_be_disabled()
    expect(settings.get_by_label("Preset")).to_have_value("Linear network")
    expect(settings.get_by_label("Network", exact=True)).to_be_enabled()
