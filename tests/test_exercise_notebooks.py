"""The exercises as notebooks: one source, nothing leaks, and a teacher can grade them by nbgrader.

tests/exercises tests the checks inside them. Both versions of each notebook run
here, in a kernel and to the end, with the bundled digits.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.timeout(900)  # the first test waits for sixteen graded notebooks

ROOT = Path(__file__).parents[1]
SOLUTIONS = ROOT / "notebooks/solutions"
EXERCISES = ROOT / "notebooks/exercises"
TEACHERS_PAGE = ROOT / "notebooks/README.md"
NAMES = sorted(path.stem for path in SOLUTIONS.glob("*.ipynb"))
each_exercise = pytest.mark.parametrize("name", NAMES)
POINTS = 10
"""What each exercise is worth."""
WITH_COPIES = "02_write_the_training_step"
"""The exercise whose cells one student copied."""


def load_script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_exercises = load_script("make_exercises")


def read_cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source_of(cell: dict) -> str:
    return "".join(cell["source"])


def marks_of(cell: dict) -> dict:
    """Return what nbgrader knows of a cell; an ordinary cell is of no kind."""
    return cell["metadata"].get("nbgrader", {"grade": False, "solution": False, "locked": False})


READ_GRADEBOOK = """
import json
from nbgrader.api import Gradebook
[submission] = Gradebook("sqlite:///gradebook.db").assignment_submissions("exercises")
scores = {
    notebook.name: [(grade.score, grade.max_score) for grade in notebook.grades]
    for notebook in submission.notebooks
}
print(json.dumps(scores))
"""


class Graded(NamedTuple):
    """What came of a student's exercises: the score and the points of each graded cell, by name."""

    course: Path
    student: str
    handed_in: Path
    scores: dict[str, list[list[float]]]

    def notebook(self, name: str) -> Path:
        return self.course / "autograded" / self.student / "exercises" / f"{name}.ipynb"

    def feedback(self, name: str) -> str:
        folder = self.course / "feedback" / self.student / "exercises"
        return (folder / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course with the assignment released; nobody has handed in anything."""
    folder = tmp_path_factory.mktemp("course")
    make_exercises.release(folder)
    return folder


@pytest.fixture(scope="module")
def graded(course, tmp_path_factory) -> dict[str, Graded]:
    """What came of a student who solved everything, and of one who touched nothing.

    Each has a gradebook of his own, so that both are graded at the same time.
    """
    handed_in = {
        "solved": copy_cells(SOLUTIONS, tmp_path_factory.mktemp("with_copies")),
        "untouched": EXERCISES,
    }
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as at_the_same_time:
        patch.setenv("MNIST_WIDGETS_DATA", str(tmp_path_factory.mktemp("no_data")))
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        gradings = {
            student: at_the_same_time.submit(
                grade, course, tmp_path_factory.mktemp(student) / "course", student, notebooks
            )
            for student, notebooks in handed_in.items()
        }
        return {student: grading.result() for student, grading in gradings.items()}


def copy_cells(notebooks: Path, folder: Path) -> Path:
    """Put notebooks into a folder; one of them has each of its solution cells twice."""
    shutil.copytree(notebooks, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    path = folder / f"{WITH_COPIES}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    twice = [
        {**cell, "id": f"{cell['id']}{suffix}"}
        for cell in notebook["cells"]
        for suffix in (["", "-copy"] if marks_of(cell)["solution"] else [""])
    ]
    path.write_text(json.dumps({**notebook, "cells": twice}), encoding="utf-8")
    return folder


def grade(released: Path, course: Path, student: str, notebooks: Path) -> Graded:
    """Do what a teacher does with what a student handed in."""
    shutil.copytree(released, course)
    archive = course / "downloaded/exercises/archive"
    archive.mkdir(parents=True)
    with ZipFile(archive / "from_the_platform.zip", "w") as downloaded:
        for notebook in notebooks.glob("*.ipynb"):
            downloaded.write(notebook, f"{student}_{notebook.name}")
    make_exercises.nbgrader(course, "zip_collect", "exercises", read_pattern_of_file_names())
    make_exercises.nbgrader(course, "autograde", "exercises", "--Execute.timeout=120")
    make_exercises.nbgrader(course, "generate_feedback", "exercises")
    read = [sys.executable, "-W", "ignore", "-c", READ_GRADEBOOK]
    path = {"PATH": make_exercises.search_path()}
    done = subprocess.run(read, cwd=course, env=os.environ | path, capture_output=True, check=True)
    return Graded(course, student, notebooks, json.loads(done.stdout))


def read_pattern_of_file_names() -> str:
    """Return the option for `nbgrader zip_collect` that the teachers' page gives."""
    [option, pattern] = re.search(
        r"(--FileNameCollectorPlugin\.named_regexp=)'(.+)'", TEACHERS_PAGE.read_text("utf-8")
    ).groups()
    return f"{option}{pattern}"


def test_the_exercises_are_eight_and_in_order():
    assert [name[:2] for name in NAMES] == [f"{number:02}" for number in range(1, 9)]


def test_the_students_versions_are_made_from_the_sources_of_now(course):
    made = {path.name: make_exercises.read(path) for path in course.glob("release/exercises/*")}
    committed = {path.name: make_exercises.read(path) for path in EXERCISES.glob("*.ipynb")}
    assert made == committed, "run: make exercises"


@each_exercise
def test_no_solution_and_no_hidden_test_is_in_a_students_hands(name):
    secret = set()
    for cell in read_cells(SOLUTIONS / f"{name}.ipynb"):
        regions = re.findall(
            r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", source_of(cell), re.DOTALL
        )
        assert bool(regions) >= marks_of(cell)["solution"], "a solution cell without a region"
        secret |= {line.strip() for _, region in regions for line in region.splitlines()}
    secret -= {""}
    assert secret
    for exercise in EXERCISES.glob("*.ipynb"):
        sources = [source_of(cell) for cell in read_cells(exercise)]
        shown = {line.strip() for source in sources for line in source.splitlines()}
        assert not secret & shown, exercise.name
        assert "BEGIN SOLUTION" not in exercise.read_text(encoding="utf-8")
        assert "HIDDEN TESTS" not in exercise.read_text(encoding="utf-8")


@each_exercise
def test_every_task_is_worth_some_of_ten_points(name):
    cells = [marks_of(cell) for cell in read_cells(SOLUTIONS / f"{name}.ipynb")]
    points = [cell["points"] for cell in cells if cell["grade"]]
    assert sum(points) == POINTS
    assert len(points) >= 2, "partial work gets no marks"
    kinds = "".join("S" * cell["solution"] + "C" * cell["grade"] for cell in cells)
    assert re.fullmatch(r"(S+C+)+", kinds), "each task has its check"


@each_exercise
def test_graded_cells_award_the_points_that_nbgrader_expects(name):
    for cell in read_cells(SOLUTIONS / f"{name}.ipynb"):
        if marks_of(cell)["grade"]:
            last_line = source_of(cell).splitlines()[-1]
            assert re.fullmatch(rf"award\(.*points={marks_of(cell)['points']}\)", last_line)


@each_exercise
def test_the_teachers_table_says_what_stands_in_the_exercise(name):
    introduction = source_of(read_cells(EXERCISES / f"{name}.ipynb")[0])
    number, title = re.match(r"# Exercise (\d): (.+)", introduction).groups()
    minutes = re.search(r"about (\d+) minutes", introduction)[1]
    [row] = [line for line in TEACHERS_PAGE.read_text("utf-8").splitlines() if name in line][:1]
    assert f"[{number} {title}](exercises/{name}.ipynb)" in row
    assert f"| {minutes} |" in row
    assert 20 <= int(minutes) <= 40


@each_exercise
@pytest.mark.parametrize("student", ["solved", "untouched"])
def test_what_was_handed_in_is_collected(graded, name, student):
    handed_in = graded[student].handed_in / f"{name}.ipynb"
    collected = graded[student].course / "submitted" / student / "exercises" / handed_in.name
    assert make_exercises.read(collected) == make_exercises.read(handed_in)


@each_exercise
def test_a_solved_exercise_gets_full_marks(graded, name):
    scores = graded["solved"].scores[name]
    assert [score for score, _ in scores] == [points for _, points in scores]
    assert sum(score for score, _ in scores) == POINTS


def test_solution_cells_that_a_student_copied_cost_nothing(graded):
    cells = map(marks_of, read_cells(graded["solved"].handed_in / f"{WITH_COPIES}.ipynb"))
    ids = [cell["grade_id"] for cell in cells if cell["solution"]]
    assert len(ids) == 2 * len(set(ids)) > 2
    scores = graded["solved"].scores[WITH_COPIES]
    assert len(scores) == 3
    assert sum(score for score, _ in scores) == POINTS


@each_exercise
def test_an_untouched_exercise_gets_none(graded, name):
    scores = graded["untouched"].scores[name]
    assert {score for score, _ in scores} == {0}
    assert sum(points for _, points in scores) == POINTS


@each_exercise
@pytest.mark.parametrize("student", ["solved", "untouched"])
def test_run_all_gets_to_the_end(graded, name, student):
    for cell in read_cells(graded[student].notebook(name)):
        if cell["cell_type"] == "code":
            assert cell["execution_count"], "never run"
            unwanted = [
                output
                for output in cell["outputs"]
                if output["output_type"] == "error" or output.get("name") == "stderr"
            ]
            assert not unwanted, source_of(cell)


@each_exercise
def test_what_is_unsolved_says_so(graded, name):
    shown = graded["untouched"].notebook(name).read_text(encoding="utf-8")
    assert "This cell needs your" in shown
    assert "This task is not solved yet" in shown


@each_exercise
def test_the_feedback_shows_each_card_with_its_marks(graded, name):
    for student in graded.values():
        shown = re.findall(r"Marks: (\d+) of (\d+)", student.feedback(name))
        assert [list(map(float, marks)) for marks in shown] == student.scores[name]
