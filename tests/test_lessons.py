"""The lessons a student gets; that JupyterLab opens on them is shown in test_cli.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mnist_widgets import lessons


def test_every_lesson_is_copied_as_it_is(tmp_path):
    copied, kept = lessons.copy_lessons(tmp_path)
    assert [lesson.stem for lesson in copied[:4]] == [
        "01_training_a_neural_network",
        "02_experiments",
        "03_inside_one_step",
        "04_your_own_handwriting",
    ]
    assert not kept
    for lesson in copied:
        assert (tmp_path / lesson).read_bytes() == (lessons.lessons_folder() / lesson).read_bytes()


def test_existing_files_are_never_overwritten(tmp_path):
    first, *others = lessons.find_lessons()
    (tmp_path / first).write_text("my own notes")
    assert lessons.copy_lessons(tmp_path) == (others, [first])
    assert (tmp_path / first).read_text() == "my own notes"


def test_the_folder_comes_first_and_the_rest_is_for_jupyterlab(tmp_path):
    given = ["--port", "9999"]
    assert lessons.split_folder(given, str(tmp_path)) == (tmp_path, given)
    assert lessons.split_folder([str(tmp_path / "a"), *given], "b") == (tmp_path / "a", given)


def test_students_get_the_exercises_too():
    exercises = [lesson.name for lesson in lessons.find_lessons() if lesson.parts[0] == "exercises"]
    assert [name[:2] for name in exercises] == [f"{number:02}" for number in range(1, 10)]


@pytest.mark.parametrize(
    "other",
    [
        "solutions/01_other.ipynb",
        "exercises/solutions/01_other.ipynb",
        ".ipynb_checkpoints/01_other.ipynb",
        "README.md",
    ],
)
def test_students_get_no_solutions_no_advice_for_teachers_and_no_leftovers(
    tmp_path, monkeypatch, other
):
    for name in ("01_lesson.ipynb", "exercises/01_exercise.ipynb", other):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(lessons, "lessons_folder", lambda: tmp_path)
    assert lessons.find_lessons() == [Path("01_lesson.ipynb"), Path("exercises/01_exercise.ipynb")]


def test_a_relative_data_root_means_the_same_in_kernels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in ("data", '"data"'):
        monkeypatch.setenv("MNIST_WIDGETS_DATA", value)
        lessons._make_data_root_absolute()
        assert os.environ["MNIST_WIDGETS_DATA"] == str(tmp_path / "data"), value


def test_an_unset_data_root_stays_unset(monkeypatch):
    monkeypatch.delenv("MNIST_WIDGETS_DATA", raising=False)
    lessons._make_data_root_absolute()
    assert "MNIST_WIDGETS_DATA" not in os.environ
