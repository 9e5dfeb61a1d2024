"""What README and docs/ say is so: their Python runs, their links lead somewhere."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from mnist_widgets import Drawing
from mnist_widgets.widgets import dashboard
from mnist_widgets.widgets.dashboard import PANELS
from mnist_widgets.widgets.panels.hyperparameter_panel import CONTROLS
from mnist_widgets.widgets.parts.drawing.drawing_set import DrawingSet

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "notebooks" / "README.md",
]
KNOWN = {  # names that a page takes as known
    "docs/jupyterhub.md": {"c": SimpleNamespace(Spawner=SimpleNamespace())},
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def find_python(page: Path) -> list[str]:
    """Return the Python of a page that runs as it is, snippet by snippet."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def run_python(page: Path, code: str, folder: Path, monkeypatch) -> dict:
    """Run Python of a page as the cells of one notebook, and return its names."""
    monkeypatch.setenv("MNIST_WIDGETS_DATA", str(folder))
    monkeypatch.chdir(folder)
    names = {"__name__": "__main__"} | KNOWN.get(name_of(page), {})
    cell = compile(code, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    coroutine = eval(cell, names)
    if coroutine is not None:
        asyncio.run(coroutine)
    return names


@pytest.mark.usefixtures("no_network")
def test_the_ten_lines_train_and_draw_the_chart(tmp_path, monkeypatch, capsys):
    page = ROOT / "docs" / "library.md"
    names = run_python(page, "".join(find_python(page)), tmp_path, monkeypatch)
    assert "bundled" in capsys.readouterr().out
    assert names["chart"].history is names["trainer"].history
    assert names["trainer"].history["train"][0] < 2.3
    names["session"].close()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("page", ["README.md", "docs/jupyterhub.md", "notebooks/README.md"])
def test_each_snippet_of_the_other_pages_runs_alone(page, tmp_path, monkeypatch):
    for code in find_python(ROOT / page):
        run_python(ROOT / page, code, tmp_path, monkeypatch)
    dashboard().close()  # closes the page's own


def test_no_page_with_python_is_forgotten():
    with_python = {name_of(page) for page in PAGES if "```python" in page.read_text("utf-8")}
    others = {"README.md", "docs/lab.md", "docs/library.md", "notebooks/README.md"}
    assert with_python == others | set(KNOWN)


@pytest.mark.usefixtures("no_network")
def test_the_page_of_the_lab_saves_charts_and_a_report(tmp_path, monkeypatch):
    page = ROOT / "docs" / "lab.md"
    names = run_python(page, "".join(find_python(page)), tmp_path, monkeypatch)
    for name in ("loss.png", "loss.csv", "epochs.csv", "run.html"):
        assert (tmp_path / name).stat().st_size > 0, name
    assert names["lab"].session.is_closed, "a new lab closes the one before"
    dashboard().close()


@pytest.mark.usefixtures("no_network")
def test_a_set_that_was_drawn_is_evaluated_as_the_page_of_the_lab_says(tmp_path, monkeypatch):
    page = ROOT / "docs" / "lab.md"
    section = page.read_text("utf-8").partition("## Your own test set")[2].partition("\n## ")[0]
    draw, evaluate = re.findall(r"```py(?:thon)?\n(.*?)```", section, re.DOTALL)
    names = run_python(page, draw, tmp_path, monkeypatch)
    assert draw.endswith("\nlab\n"), "the cell shows the lab"
    pad = names["lab"].panels["drawing"]
    monkeypatch.setattr(pad._own_set, "kept", DrawingSet())  # other tests see no drawing
    pad._own_set.kept.add((Drawing([[(0.5, 0.1), (0.5, 0.9)]]), 1))
    exec(evaluate, names)
    assert len(names["my_digits"]) == names["evaluator"].predictions.confusion.sum() == 1
    names["lab"].close()


@pytest.mark.parametrize("page", ["docs/lab.md", "notebooks/README.md"])
def test_a_page_names_all_that_can_be_hidden_or_locked(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in (*PANELS, *CONTROLS, "epochs"):
        assert f"`{name}`" in text, name


@each_page
def test_each_link_leads_to_a_file_or_a_heading(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        name, _, heading = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), f"{name_of(page)}: {target}"
        if heading:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
            assert heading in anchors, f"{name_of(page)}: {target}"


@each_page
def test_each_picture_is_described_in_words(page):
    for words, picture in re.findall(r"!\[(.*?)\]\((.*?)\)", page.read_text(encoding="utf-8")):
        assert words, picture


def test_readme_and_first_lesson_begin_alike():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    path = ROOT / "notebooks" / "01_training_a_neural_network.ipynb"
    lesson = path.read_text(encoding="utf-8")
    for words in (
        "un the cells one by one, from top to bottom, with Shift",
        "Train and watch",
    ):
        assert words in readme
        assert words in lesson


def test_the_readme_begins_with_a_moving_picture_that_loads_quickly():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    path = ROOT / re.search(r"!\[.*?\]\((.*?)\)", text)[1]
    assert path.stat().st_size <= 3_000_000
    with Image.open(path) as picture:
        assert picture.n_frames > 10
