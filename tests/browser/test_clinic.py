"""A diagnosis in the clinic, in a real JupyterLab and by keyboard."""

from __future__ import annotations

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_output_width, set_window_size
from playwright.sync_api import expect

from mnist_widgets.runs.clinic.cases import CASES
from mnist_widgets.runs.clinic.choices import NO_BACKWARD

NUMBER = 12
CASE = CASES[NUMBER]
CELLS = [f"from mnist_widgets.widgets import clinic\nlab = clinic({NUMBER})\nlab"]
PANEL = ".mw-diagnosis-panel"


@pytest.fixture
def trained(lab):
    """The clinic after its training, which was started by keyboard."""
    lab.open_notebook(CELLS)
    lab.run_all()
    set_window_size(lab.page, 1440, 1300)
    lab.page.locator(".mw-dashboard .mw-start").focus()
    lab.page.keyboard.press("Enter")
    expect(lab.page.locator(".mw-state")).to_have_text("Finished")
    return lab


def choose(page, label: str, name: str) -> None:
    """Choose from a list by keyboard: each press of a letter goes to the next name with it.

    In the command mode JupyterLab takes some letters, such as D twice, for itself, and the arrows.
    """
    field = page.get_by_label(label, exact=True)
    field.focus()
    for _ in range(field.locator("option").count()):
        page.keyboard.press(name[0])
        if field.input_value() == name:
            return
    raise AssertionError(f"{name} was not reached; the list shows {field.input_value()}")


def press_check(lab) -> None:
    """Press Check by keyboard once the kernel has the choices, which a click can overtake."""
    page = lab.page
    for name in ("fault", "evidence"):
        shown = page.get_by_label(name.title(), exact=True).input_value()
        lab.expect_in_kernel(f"lab.panels['diagnosis'].{name}", shown)
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.tagName") == "SELECT":
        page.keyboard.press("Tab")
    expect(page.locator(f"{PANEL} .mw-check")).to_be_focused()
    page.keyboard.press("Enter")


def test_a_wrong_and_then_the_right_diagnosis_by_keyboard(trained):
    page = trained.page
    verdict, spoken = (
        page.locator(f"{PANEL} .mw-verdict"),
        page.locator(PANEL).get_by_role("status"),
    )
    height = page.locator(".mw-dashboard").bounding_box()["height"]
    choose(page, "Fault", NO_BACKWARD)
    choose(page, "Evidence", CASE.evidence)
    press_check(trained)
    expect(verdict).to_contain_text("Not yet.")
    expect(spoken).to_contain_text("Not yet.")
    trained.screenshot("clinic-wrong")
    choose(page, "Fault", CASE.fault)
    expect(verdict).to_have_text("Not checked yet.")
    press_check(trained)
    expect(verdict).to_contain_text("Right.")
    expect(spoken).to_contain_text(CASE.explanation)
    assert page.locator(".mw-dashboard").bounding_box()["height"] == height


@pytest.mark.parametrize("dark", [False, True])
def test_the_diagnosis_is_readable_and_accessible(trained, dark):
    trained.set_theme(dark=dark)
    page, theme = trained.page, "dark" if dark else "light"
    choose(page, "Fault", CASE.fault)
    choose(page, "Evidence", CASE.evidence)
    press_check(trained)
    expect(page.locator(f"{PANEL} .mw-verdict")).to_contain_text("Right.")
    for output_px in (1008, 480):
        set_output_width(page, ".mw-dashboard", output_px, 2600)
        faults = find_lasting_faults(page, PANEL)
        violations = find_violations(page, PANEL)
        trained.screenshot(f"clinic-{theme}-{output_px}")
        trained.screenshot(f"clinic-{theme}-{output_px}-panel", PANEL)
        assert not faults + violations, "\n".join(faults + violations)
        for control in page.locator(f"{PANEL} :is(select, button)").all():
            assert control.bounding_box()["height"] >= 24
