"""The confusion chart in a real JupyterLab: click cells, choose from lists, change its settings."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

PANEL = ".mw-confusion-chart"

# Asymmetric, as real mistakes are: 12 fours read as nines, 5 nines read as fours.
COUNTS = """
import torch
counts = torch.arange(100).reshape(10, 10) % 23
counts[torch.rand(10, 10, generator=torch.manual_seed(0)) < 0.5] = 0
counts[4, 9], counts[9, 4] = 12, 5
counts.diagonal().copy_(torch.tensor([960, 1120, 983, 975, 949, 861, 927, 996, 925, 978]))
"""
CHART = """
from mnist_widgets.widgets import ConfusionChart
chart = ConfusionChart()
pairs = []
chart.observe(lambda change: pairs.append(change["new"]), names="selected_pair")
chart.show_counts(counts)
chart
"""


class ChartOnPage:
    """The chart on the page, and its kernel."""

    def __init__(self, lab) -> None:
        self.lab = lab
        self.root = lab.page.locator(PANEL).first
        self.sentence = self.root.locator(".mw-cell")
        self.axis_labels = self.root.locator(".axislabel")

    def number(self, row: int, column: int):
        return self.root.locator("text.label").nth(10 * row + column)

    def click(self, row: int, column: int) -> None:
        """Click the middle of a cell, as the matrix is drawn."""
        self.root.locator(".heatmapcell").nth(10 * row + column).click()

    def setting(self, name: str):
        return self.root.get_by_label(name, exact=True)

    def expect_pair(self, pair: tuple[int, int] | None, outlined: tuple[int, int] | None) -> None:
        """Expect a pair in the lists and the kernel, and a row and column with an outline."""
        for name, label in zip(
            ("Cell: true", "predicted"), pair or ("\N{EN DASH}", "\N{EN DASH}"), strict=True
        ):
            expect(self.setting(name).locator("option:checked")).to_have_text(str(label))
        assert self.lab.run_cell("chart.selected_pair or 'none'").strip("'") == str(pair or "none")
        outlines = self.root.locator(".heatmapcell").evaluate_all(
            "cells => cells.flatMap((cell, index) => cell.style.strokeWidth ? [index] : [])"
        )
        assert [divmod(index, 10) for index in outlines] == ([outlined] if outlined else [])


@pytest.fixture
def chart(lab):
    lab.open_notebook([COUNTS, CHART])
    lab.run_all()
    chart = ChartOnPage(lab)
    expect(chart.number(4, 9)).to_have_text("12")
    lab.scroll_to(PANEL)
    return chart


def test_a_click_on_a_cell_selects_true_and_predicted_and_a_second_clears_it(chart):
    expect(chart.number(9, 4)).to_have_text("5")
    chart.click(4, 9)
    expect(chart.sentence).to_contain_text("12 images")
    chart.expect_pair((4, 9), outlined=(4, 9))
    chart.click(9, 4)
    expect(chart.sentence).to_contain_text("5 images")
    chart.expect_pair((9, 4), outlined=(9, 4))
    chart.click(9, 4)
    expect(chart.sentence).to_contain_text("Click a cell")
    chart.expect_pair(None, outlined=None)
    assert chart.lab.run_cell("pairs") == "[(4, 9), (9, 4), None]"


def test_with_swapped_axes_a_click_still_gives_the_true_class_first(chart):
    chart.root.get_by_role("button", name="More").click()
    chart.setting("Swap axes").check()
    expect(chart.number(9, 4)).to_have_text("12")
    # the axis below comes first
    expect(chart.axis_labels).to_have_text(["True digit", "Predicted digit"])
    chart.click(9, 4)
    expect(chart.sentence).to_contain_text("12 images")
    chart.expect_pair((4, 9), outlined=(9, 4))
    chart.click(9, 4)
    chart.expect_pair(None, outlined=None)


def test_the_keyboard_selects_the_same_pair_in_two_lists(chart):
    keyboard = chart.lab.page.keyboard
    chart.setting("Cell: true").focus()
    keyboard.press("4")
    keyboard.press("Tab")
    expect(chart.setting("predicted")).to_be_focused()
    keyboard.press("9")
    expect(chart.sentence).to_contain_text("12 images")
    chart.expect_pair((4, 9), outlined=(4, 9))
    keyboard.press("Home")
    expect(chart.sentence).to_have_text("Choose the predicted digit as well.")
    assert chart.lab.run_cell("chart.selected_pair is None") == "True"
    expect(chart.setting("Cell: true").locator("option:checked")).to_have_text("4")


def test_no_click_of_two_hundred_is_lost_while_counts_come_in(chart):
    chart.lab.run_cell(
        "import threading, time\n"
        "def count():\n"
        "    while not is_over.wait(0.02):\n"
        "        chart.show_counts(counts * torch.randint(1, 5, ()))\n"
        "is_over = threading.Event()\n"
        "threading.Thread(target=count).start()"
    )
    chart.root.locator(".heatmapcell").evaluate_all(
        """async cells => {
            for (let index = 0; index < 200; index++) {
                cells[(7 * index) % 100].dispatchEvent(new MouseEvent('click', {bubbles: true}));
                await new Promise(resolve => setTimeout(resolve, 20));
            }
        }"""
    )
    chart.lab.run_cell("is_over.set()")
    expected = [divmod(7 * index % 100, 10) for index in range(200)]
    assert chart.lab.run_cell("pairs") == chart.lab.run_cell(str(expected))


def test_more_stays_where_it_is_so_that_a_second_click_closes_it(chart):
    more = chart.root.locator(".mw-more button")
    for title in (False, True):
        if title:
            chart.lab.run_cell('chart.show_heading("Confusion matrix")')
            expect(chart.root.locator(".mw-title")).to_be_visible()
        before = more.bounding_box()
        more.click()
        expect(chart.setting("Swap axes")).to_be_visible()
        chart.lab.screenshot(f"confusion-more-{'titled' if title else 'alone'}", PANEL)
        assert more.bounding_box() == before
        more.click()
        expect(chart.setting("Swap axes")).to_be_hidden()


def test_settings_change_numbers_and_colours(chart):
    cells = chart.root.locator(".heatmapcell")
    on_the_diagonal, mistake = cells.nth(44), cells.nth(49)
    grey = "rgba(128, 128, 128, 0.22)"
    expect(on_the_diagonal).to_have_css("fill", grey)
    before = mistake.evaluate("cell => getComputedStyle(cell).fill")
    chart.root.get_by_role("button", name="More").click()
    chart.setting("Highlight mistakes").uncheck()
    expect(on_the_diagonal).not_to_have_css("fill", grey)
    assert mistake.evaluate("cell => getComputedStyle(cell).fill") != before
    chart.setting("Show").select_option("% of true digit")
    share = chart.lab.run_cell("f'{100 * 12 / counts[4].sum():.1f}'").strip("'")
    expect(chart.number(4, 9)).to_have_text(share)
    chart.setting("Show").select_option("% of predicted")
    share = chart.lab.run_cell("f'{100 * 12 / counts[:, 9].sum():.1f}'").strip("'")
    expect(chart.number(4, 9)).to_have_text(share)


@pytest.mark.parametrize("dark", [False, True])
def test_the_arrow_of_each_list_stands_out_from_its_field(chart, dark):
    chart.lab.set_theme(dark)
    chart.lab.screenshot(f"confusion-lists-{'dark' if dark else 'light'}", PANEL)
    for name in ("Show", "Cell: true", "predicted"):
        picture = Image.open(io.BytesIO(chart.setting(name).screenshot())).convert("L")
        field = np.asarray(picture).astype(int)[5:-5, -20:-4]
        assert np.abs(field - np.median(field)).max() > 90, name


def test_nothing_jumps_when_numbers_come_and_go(chart):
    boxes = [chart.root.bounding_box()]
    for code in ("chart.show_counts(None)", "chart.show_counts(counts * 9)"):
        chart.lab.run_cell(f"{code}; chart.redraw()")
        boxes.append(chart.root.bounding_box())
    chart.click(4, 9)
    expect(chart.sentence).to_contain_text("108 images")
    boxes.append(chart.root.bounding_box())
    assert boxes == [boxes[0]] * 4
