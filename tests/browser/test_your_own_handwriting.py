"""The fourth lesson in a real JupyterLab: a drawing, a stage switched off, a set of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from layout import set_window_size
from playwright.sync_api import expect

LESSON = Path(__file__).parents[2] / "notebooks" / "04_your_own_handwriting.ipynb"
PAD = ".mw-drawing-pad"
SMALL_SEVEN = [(0.08, 0.08), (0.3, 0.08), (0.18, 0.4)]
ONE = [(0.5, 0.1), (0.5, 0.9)]


class Pad:
    """The first view of the lesson's pad."""

    def __init__(self, lab) -> None:
        self.page = lab.page
        self.root = lab.page.locator(PAD).first
        self.area = self.root.locator(".mw-canvas canvas")
        self.status = self.root.locator(".mw-set-status")

    def draw(self, points) -> None:
        self.area.scroll_into_view_if_needed()
        box = self.area.bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=5)
        self.page.mouse.up()
        self.expect_strokes("1 stroke is")

    def add(self, label) -> None:
        self.root.get_by_label("Label").select_option(label)
        self.root.get_by_role("button", name="Add to my set").click()
        self.expect_strokes("Nothing is")

    def expect_strokes(self, words) -> None:
        name = re.compile(f"Drawing area. {words} drawn")
        expect(self.area).to_have_accessible_name(name)

    def picture(self, stage) -> str:
        return self.root.locator(".mw-stage-pictures img").nth(stage).get_attribute("src")


def find_cell(lab, beginning) -> str:
    """Return the code of the lesson's cell that begins with these words."""
    cells = "window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
    sources = lab.page.evaluate(f"() => {cells}.map(cell => cell.source)")
    (source,) = (each for each in map("".join, sources) if each.startswith(beginning))
    return source


@pytest.mark.timeout(300)
def test_a_student_draws_switches_a_stage_off_and_makes_a_set(lab):
    set_window_size(lab.page, 1440, 900)
    lab.open_notebook(LESSON)
    lab.run_all()
    assert lab.run_cell("print(len(my_set), my_set.name)").strip() == "10 examples"
    pad = Pad(lab)
    pad.draw(SMALL_SEVEN)
    lab.expect_in_kernel("pad.drawing.is_empty", "False")
    caption = pad.root.get_by_text(re.compile(r"The network says \d"))
    expect(caption).to_be_visible()
    lab.scroll_to(PAD)
    lab.screenshot("handwriting-pad-light")

    drawn, scaled, centered = map(pad.picture, range(3))
    assert len({drawn, scaled, centered}) == 3
    last = pad.root.locator(".mw-stage-pictures img").nth(2)
    pad.root.get_by_label("Center").uncheck()
    expect(last).to_have_attribute("src", scaled)
    pad.root.get_by_label("Scale").uncheck()
    expect(last).to_have_attribute("src", drawn)
    lab.scroll_to(PAD)
    lab.screenshot("handwriting-stages-off")
    for stage in ("Scale", "Center"):
        pad.root.get_by_label(stage).check()
    expect(last).to_have_attribute("src", centered)

    pad.add("7")
    expect(pad.status).to_contain_text("1 drawing ")
    pad.draw(ONE)
    pad.add("1")
    expect(pad.status).to_contain_text("2 drawings ")
    # as the lesson says: run the cells from here on again
    lab.run_cell(find_cell(lab, "my_set = "))
    found = lab.run_cell("print(my_set.name, my_set.labels.tolist(), len(show(my_set).children))")
    assert found.strip() == "my digits [7, 1] 2"
    # what was added, loaded or removed since then is in the class's set
    lab.run_cell("pad.remove(0)")
    expect(pad.status).to_contain_text("1 drawing ")
    lab.run_cell(find_cell(lab, "files = sorted("))
    assert lab.run_cell("print(class_set.labels.tolist())").strip() == "[1]"
    lab.run_all()  # the whole lesson again
    assert lab.run_cell("print(my_set.name, my_set.labels.tolist())").strip() == "my digits [1]"
    expect(pad.status).to_contain_text("1 drawing ")
    lab.set_theme(dark=True)
    lab.scroll_to(PAD)
    lab.screenshot("handwriting-pad-dark")


@pytest.mark.timeout(300)
def test_the_files_of_a_class_become_one_set(lab, tmp_path):
    lab.open_notebook(LESSON)
    lab.run_all()
    lab.run_cell(f"import os; os.chdir({str(tmp_path)!r}); Path('class_drawings').mkdir()")
    lab.run_cell(
        "from mnist_widgets import save_drawings\n"
        "for name, part in (('a', examples[:30]), ('b', examples[30:])):\n"
        "    save_drawings(f'class_drawings/{name}.json', *zip(*part))"
    )
    assert lab.run_cell(find_cell(lab, "files = sorted(")).startswith("2 files")
    expected = "True True"
    code = (
        "print(torch.equal(class_set.images, to_digit_set(examples, 'x').images), "
        "class_set.labels.tolist() == [label for _, label in examples])"
    )
    assert lab.run_cell(code).strip() == expected
