"""The exercises as notebooks: one source, no leaked solutions, and grading by nbgrader.

tests/exercises tests their checks. Here both versions of each notebook run in a kernel, from top to
bottom, with the bundled digits.
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

pytestmark = pytest.mark.timeout(900)  # the first test waits for eighteen graded notebooks

ROOT = Path(__file__).parents[1]
SOLUTIONS = ROOT / "notebooks/solutions"
EXERCISES = ROOT / "notebooks/exercises"
TEACHERS_PAGE = ROOT / "notebooks/README.md"
NAMES = sorted(path.stem for path in SOLUTIONS.glob("*.ipynb"))
each_exercise = pytest.mark.parametrize("name", NAMES)
POINTS = 10
"""The points for each exercise."""
WITH_COPIES = "02_write_the_training_step"
"""The exercise in which one student copied cells."""


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
    """Return nbgrader's metadata of a cell; an ordinary cell has none."""
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
    """A student's graded exercises: by name, the score and the points of each graded cell."""

    course: Path
    student: str
    submission: Path
    scores: dict[str, list[list[float]]]

    def notebook(self, name: str) -> Path:
        return self.course / "autograded" / self.student / "exercises" / f"{name}.ipynb"

    def feedback(self, name: str) -> str:
        folder = self.course / "feedback" / self.student / "exercises"
        return (folder / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course with a released assignment and no submissions."""
    folder = tmp_path_factory.mktemp("course")
    make_exercises.release(folder)
    return folder


@pytest.fixture(scope="module")
def graded(course, tmp_path_factory) -> dict[str, Graded]:
    """The graded exercises of a student who solved everything and of one who changed nothing.

    Each has their own gradebook, so that both are graded at the same time.
    """
    submissions = {
        "solved": copy_cells(SOLUTIONS, tmp_path_factory.mktemp("with_copies")),
        "untouched": EXERCISES,
    }
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setenv("MNIST_WIDGETS_DATA", str(tmp_path_factory.mktemp("no_data")))
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        gradings = {
            student: pool.submit(
                grade, course, tmp_path_factory.mktemp(student) / "course", student, notebooks
            )
            for student, notebooks in submissions.items()
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
    """Collect and grade a student's notebooks, as a teacher does."""
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


def test_the_exercises_are_nine_and_in_order():
    assert [name[:2] for name in NAMES] == [f"{number:02}" for number in range(1, 10)]


def test_the_students_versions_match_their_sources(course):
    made = {path.name: make_exercises.read(path) for path in course.glob("release/exercises/*")}
    committed = {path.name: make_exercises.read(path) for path in EXERCISES.glob("*.ipynb")}
    assert made == committed, "run: make exercises"


@each_exercise
def test_a_students_version_contains_no_solution_and_no_hidden_test(name):
    secret = set()
    for cell in read_cells(SOLUTIONS / f"{name}.ipynb"):
        regions = re.findall(
            r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", source_of(cell), re.DOTALL
        )
        assert bool(regions) >= marks_of(cell)["solution"], "a solution cell without a region"
        secret |= {line.strip() for _, region in regions for line in region.splitlines()}
    secret = {line for line in secret if re.search(r"\w", line)}  # a bracket tells nothing
    assert secret
    for exercise in EXERCISES.glob("*.ipynb"):
        sources = [source_of(cell) for cell in read_cells(exercise)]
        shown = {line.strip() for source in sources for line in source.splitlines()}
        assert not secret & shown, exercise.name
        assert "BEGIN SOLUTION" not in exercise.read_text(encoding="utf-8")
        assert "HIDDEN TESTS" not in exercise.read_text(encoding="utf-8")


@each_exercise
def test_the_tasks_share_ten_points(name):
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
def test_the_teachers_table_matches_the_exercise(name):
    introduction = source_of(read_cells(EXERCISES / f"{name}.ipynb")[0])
    number, title = re.match(r"# Exercise (\d): (.+)", introduction).groups()
    minutes = re.search(r"about (\d+) minutes", introduction)[1]
    [row] = [line for line in TEACHERS_PAGE.read_text("utf-8").splitlines() if name in line][:1]
    assert f"[{number} {title}](exercises/{name}.ipynb)" in row
    assert f"| {minutes} |" in row
    assert 20 <= int(minutes) <= 40


@each_exercise
@pytest.mark.parametrize("student", ["solved", "untouched"])
def test_submissions_are_collected(graded, name, student):
    submission = graded[student].submission / f"{name}.ipynb"
    collected = graded[student].course / "submitted" / student / "exercises" / submission.name
    assert make_exercises.read(collected) == make_exercises.read(submission)


@each_exercise
def test_a_solved_exercise_gets_full_marks(graded, name):
    scores = graded["solved"].scores[name]
    assert [score for score, _ in scores] == [points for _, points in scores]
    assert sum(score for score, _ in scores) == POINTS


def test_copied_solution_cells_lose_no_marks(graded):
    cells = map(marks_of, read_cells(graded["solved"].submission / f"{WITH_COPIES}.ipynb"))
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
def test_run_all_passes(graded, name, student):
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
def test_an_unsolved_task_says_so(graded, name):
    shown = graded["untouched"].notebook(name).read_text(encoding="utf-8")
    assert "This cell needs your" in shown
    assert "This task is not solved yet" in shown


@each_exercise
def test_the_feedback_shows_each_card_with_its_marks(graded, name):
    for student in graded.values():
        shown = re.findall(r"Marks: (\d+) of (\d+)", student.feedback(name))
        assert [list(map(float, marks)) for marks in shown] == student.scores[name]
