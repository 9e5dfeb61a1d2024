"""The loss explorer in a page: torch's numbers, keys, fields, names, layout."""

from __future__ import annotations

import json
import re

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_window_size
from playwright.sync_api import expect

PANEL = ".mw-loss-explorer"
CELLS = ["from mnist_widgets.widgets import LossExplorer\nexplorer = LossExplorer()\nexplorer"]
FASHION = [
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
]
NUM_SETTINGS = 20

# Chooses settings at random, and returns what torch computes from them.
RANDOM_SETTINGS = """
import torch
from torch.nn.functional import cross_entropy
generator = torch.Generator().manual_seed(0)
def choose(number):
    scores = (3.0 ** (number % 4)) * torch.randn(10, generator=generator, dtype=torch.float64)
    share, label = torch.rand((), generator=generator), torch.randint(10, (), generator=generator)
    return dict(scores=scores.clamp(-100, 100).tolist(), true_class=int(label),
                temperature=round(10 ** (2 * share.item() - 1), 3), softmax_twice=number % 2 == 1)
def compute(scores, true_class, temperature, softmax_twice):
    scores = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    p = torch.softmax(scores / temperature, 0)
    loss = cross_entropy(p if softmax_twice else scores / temperature, torch.tensor(true_class))
    loss.backward()
    q = torch.softmax(p, 0)
    return dict(p=p.tolist(), q=q.tolist(), gradient=scores.grad.tolist(), loss=loss.item())
"""
SHOWN = """panel => {
    const read = selector => [...panel.querySelectorAll(selector)].map(
        element => Number(element.dataset.value));
    return {p: read('.mw-loss-p[role=cell]'), q: read('.mw-loss-q[role=cell]'),
            gradient: read('.mw-loss-gradient[role=cell]'),
            loss: read('.mw-loss-stats b')[0]};
}"""
SMALL_TEXTS = """panel => [...panel.querySelectorAll('*')].filter(element =>
    [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
    && element.checkVisibility() && parseFloat(getComputedStyle(element).fontSize) < 11
).map(element => element.outerHTML)"""

TARGETS = ".mw-loss-page :is(button, input[type=range], input[type=text], label)"


class Explorer:
    """The panel of a notebook, and its controls."""

    def __init__(self, lab) -> None:
        self.lab = lab
        self.root = lab.page.locator(PANEL).first
        self.twice = self.root.get_by_label("Softmax applied twice")
        self.loss = self.root.locator(".mw-loss-stats b").first

    def slider(self, name):
        return self.root.get_by_role("slider", name=name, exact=True)

    def field(self, name):
        return self.root.get_by_role("textbox", name=f"{name}, number", exact=True)

    def true_class(self, name):
        return self.root.get_by_role("radio", name=f"True class {name}", exact=True)

    def expect_in_kernel(self, expression, text) -> None:
        self.lab.expect_in_kernel(expression, text)

    def shown(self):
        return self.root.evaluate(SHOWN)


@pytest.fixture
def explorer(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    explorer = Explorer(lab)
    expect(explorer.loss).to_be_visible()
    return explorer


def test_the_page_shows_the_numbers_of_torch(explorer):
    explorer.lab.run_cell(RANDOM_SETTINGS)
    for number in range(NUM_SETTINGS):
        answer = explorer.lab.run_cell(
            f"import json\nsetting = choose({number})\n"
            "for name, value in setting.items(): setattr(explorer, name, value)\n"
            "print(json.dumps([setting, compute(**setting)]))"
        )
        setting, computed = json.loads(answer)
        expect(explorer.twice).to_be_checked(checked=setting["softmax_twice"])  # sent last
        expect(explorer.field("Temperature T")).to_have_value(f"{setting['temperature']:g}")
        shown = explorer.shown()
        for name, wanted in computed.items():
            assert shown[name] == pytest.approx(wanted, rel=0, abs=1e-6), (setting, name)


def test_a_slider_moves_all_numbers_while_the_kernel_is_busy(lab):
    lab.open_notebook([*CELLS, "input()"])
    lab.start_all()
    question = lab.page.locator("input.jp-Stdin-input")
    expect(question).to_be_visible(timeout=60_000)
    explorer = Explorer(lab)
    before = explorer.shown()
    explorer.slider("Score of 3").fill("8")
    after = explorer.shown()
    assert after["loss"] < before["loss"]
    assert after["p"][3] > before["p"][3]
    assert all(new < old for new, old in zip(after["p"][4:], before["p"][4:], strict=True))
    question.press("Enter")
    explorer.expect_in_kernel("explorer.scores[3]", "8.0")


@pytest.mark.both_front_ends
def test_every_control_works_by_key(explorer):
    page = explorer.lab.page
    three = explorer.slider("Score of 3")
    three.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        expect(three).to_be_focused()
    explorer.expect_in_kernel("explorer.scores[3]", "2.7")
    page.keyboard.press("Tab")
    expect(explorer.field("Score of 3")).to_be_focused()
    expect(explorer.field("Score of 3")).to_have_value("2.7")
    page.keyboard.press("Control+a")
    page.keyboard.type("4,25")
    page.keyboard.press("Enter")
    explorer.expect_in_kernel("explorer.scores[3]", "4.25")
    explorer.true_class("3").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    expect(explorer.true_class("4")).to_be_focused()
    explorer.expect_in_kernel("explorer.true_class", "4")
    temperature = explorer.slider("Temperature T")
    temperature.focus()
    page.keyboard.press("ArrowRight")
    expect(temperature).to_be_focused()
    explorer.expect_in_kernel("explorer.temperature", "1.3")
    explorer.twice.focus()
    page.keyboard.press("Space")
    explorer.expect_in_kernel("explorer.softmax_twice", "True")
    explorer.root.get_by_role("button", name="Start again").press("Enter")
    expect(explorer.true_class("3")).to_be_checked()
    expect(explorer.twice).not_to_be_checked()
    expect(explorer.field("Temperature T")).to_have_value("1")
    expect(explorer.field("Score of 3")).to_have_value("2.5")
    explorer.expect_in_kernel(
        "explorer.scores[3], explorer.true_class, explorer.temperature, explorer.softmax_twice",
        "2.5 3 1.0 False",
    )


def test_a_field_repairs_what_is_no_number_and_keeps_to_its_limits(explorer):
    field = explorer.field("Score of 0")
    for typed, shown in (
        ("", "0.5"),
        ("abc", "0.5"),
        ("1.2.3", "0.5"),
        ("0,75", "0.75"),
        ("1e99", "100"),
        ("-1000000", "-100"),
    ):
        field.fill(typed)
        field.press("Enter")
        expect(field).to_have_value(shown)
    explorer.expect_in_kernel("explorer.scores[0]", "-100.0")
    expect(explorer.slider("Score of 0")).to_have_value("-100")  # the slider reaches as far
    temperature = explorer.field("Temperature T")
    for typed, shown in (("0", "0.1"), ("-5", "0.1"), ("99", "10"), ("0,5", "0.5"), ("x", "0.5")):
        temperature.fill(typed)
        temperature.press("Enter")
        expect(temperature).to_have_value(shown)
    explorer.expect_in_kernel("explorer.temperature", "0.5")


def test_a_text_that_is_being_typed_stays_while_python_sets_other_numbers(explorer):
    field = explorer.field("Score of 0")
    field.fill("12")
    explorer.lab.run_cell("explorer.scores = [0.5, *[1.0] * 9]")
    expect(explorer.field("Score of 9")).to_have_value("1")
    expect(field).to_have_value("12")
    field.press("Enter")
    explorer.expect_in_kernel("explorer.scores[0], explorer.scores[9]", "12.0 1.0")


def test_softmax_twice_is_shown_in_words_and_numbers(explorer):
    explorer.lab.run_cell("explorer.scores = [0.0, 0, 0, 30, 0, 0, 0, 0, 0, 0]")
    stats = explorer.root.locator(".mw-loss-stats b")
    again = explorer.root.get_by_role("columnheader", name="Softmax again")
    expect(explorer.loss).to_have_text(re.compile("e-1[0-9]"))
    expect(again).to_have_count(0)
    explorer.twice.check()
    expect(explorer.loss).to_have_text("1.46")
    expect(stats.nth(1)).to_have_text("1.46")
    expect(again).to_be_visible()
    explorer.true_class("5").check()
    expect(explorer.loss).to_have_text("2.46")
    expect(stats.nth(3)).to_have_text(re.compile("e-1[0-9]"))
    expect(explorer.root).to_contain_text("1.00 with one softmax")


def test_a_screen_reader_hears_the_new_loss_once_the_slider_rests(explorer):
    spoken = explorer.root.get_by_role("status")
    expect(spoken).to_have_text("")
    explorer.slider("Score of 3").fill("9")
    expect(spoken).to_contain_text(explorer.loss.inner_text())


def test_two_views_show_the_same(lab):
    lab.open_notebook([*CELLS, "explorer"])
    lab.run_all()
    views = lab.page.locator(PANEL)
    expect(views).to_have_count(2)
    for view in views.all():
        view.get_by_role("radio", name="True class 8").check()
        view.get_by_label("Score of 8, number").fill("7")
        view.get_by_label("Score of 8, number").press("Enter")
    for view in views.all():
        expect(view.get_by_role("radio", name="True class 8")).to_be_checked()
        expect(view.get_by_label("Score of 8, number")).to_have_value("7")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("names", "first"), [("", "0"), (FASHION, "T-shirt/top")])
def test_nothing_is_cut_overlaps_or_is_hard_to_reach(lab, dark, names, first):
    lab.open_notebook([f"from mnist_widgets.widgets import LossExplorer\nLossExplorer({names})"])
    lab.run_all()
    lab.set_theme(dark=dark)
    explorer, found = Explorer(lab), []
    for width_px in (1440, 800, 480):
        set_window_size(lab.page, width_px, 1400)
        for is_twice in (False, True):
            explorer.twice.set_checked(is_twice)
            for score in ("-1", "100"):  # tiny and long numbers
                explorer.field(f"Score of {first}").fill(score)
                explorer.field(f"Score of {first}").press("Enter")
                faults = find_lasting_faults(lab.page, PANEL)
                found += [f"{width_px} px, twice {is_twice}: {fault}" for fault in faults]
            explorer.root.get_by_role("button", name="Start again").click()
            explorer.twice.set_checked(is_twice)
            found += find_violations(lab.page, PANEL)
            found += explorer.root.evaluate(SMALL_TEXTS)
            for target in explorer.root.locator(TARGETS).all():
                box = target.bounding_box()
                if min(box["width"], box["height"]) < 24:
                    found.append(f"{width_px} px: small {target.evaluate('e => e.outerHTML')}")
            lab.scroll_to(PANEL)
            theme, mode = "dark" if dark else "light", "twice" if is_twice else "once"
            lab.screenshot(f"loss-explorer-{first[0]}-{width_px}-{theme}-{mode}")
    assert not found, "\n".join(found)
