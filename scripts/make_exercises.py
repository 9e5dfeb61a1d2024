"""Make the students' notebooks from the solved ones, as nbgrader makes them.

`make exercises` runs this. Each notebook of notebooks/solutions becomes one of the same name in
notebooks/exercises: without its solutions and hidden tests, the checks locked. The same sources
always give the same files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SOLUTIONS = NOTEBOOKS / "solutions"
EXERCISES = NOTEBOOKS / "exercises"


def release(course: Path, solutions: Path = SOLUTIONS) -> Path:
    """Let nbgrader make an assignment called "exercises" of all solved notebooks.

    Args:
        course: an empty folder, which becomes a course of nbgrader's.
        solutions: the folder of the solved notebooks.

    Returns:
        The folder of the students' notebooks, inside `course`.

    Raises:
        RuntimeError: if nbgrader refuses; its own words are in the message.
    """
    shutil.copytree(solutions, course / "source/exercises", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(Path(__file__).with_name("nbgrader_config.py"), course)
    nbgrader(course, "generate_assignment", "exercises")
    return course / "release/exercises"


def read(notebook: Path) -> str:
    """Return the text of a notebook, its lines ended by a newline alone on every system."""
    return notebook.read_text(encoding="utf-8")


def nbgrader(course: Path, *arguments: str) -> None:
    """Run one nbgrader command in the folder of a course.

    Raises:
        RuntimeError: if it fails; its own words are in the message.
    """
    outcome = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env={**os.environ, "PATH": search_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        raise RuntimeError(f"nbgrader {' '.join(arguments)}:\n{outcome.stdout}{outcome.stderr}")


def search_path() -> str:
    """Return where commands are looked for, this Python's first: nbgrader calls one, alembic."""
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])


def main() -> None:
    """Replace the students' notebooks by those of now, and name what has changed."""
    with tempfile.TemporaryDirectory() as course:
        made = {path.name: read(path) for path in release(Path(course)).glob("*.ipynb")}
    EXERCISES.mkdir(exist_ok=True)
    for path in EXERCISES.glob("*.ipynb"):
        if path.name not in made:
            path.unlink()
            print(f"removed   {path.name}")
    for name, content in sorted(made.items()):
        path = EXERCISES / name
        is_new = not path.exists() or read(path) != content
        if is_new:
            path.write_text(content, encoding="utf-8", newline="\n")
        print(f"{'written' if is_new else 'unchanged':9} {name}")


if __name__ == "__main__":
    main()
