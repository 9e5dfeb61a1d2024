"""Make the students' notebooks from the solved ones with nbgrader; `make exercises` runs this.

Each notebook in notebooks/solutions gives one of the same name in notebooks/exercises, without
solutions and hidden tests, with locked checks. The same sources always give the same files.
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
    """Make an nbgrader assignment called "exercises" from all solved notebooks.

    Args:
        course: an empty folder, which becomes an nbgrader course.
        solutions: the folder of the solved notebooks.

    Returns:
        The folder of the students' notebooks, inside `course`.

    Raises:
        RuntimeError: if nbgrader fails; the message contains its output.
    """
    shutil.copytree(solutions, course / "source/exercises", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(Path(__file__).with_name("nbgrader_config.py"), course)
    nbgrader(course, "generate_assignment", "exercises")
    return course / "release/exercises"


def read(notebook: Path) -> str:
    """Return the text of a notebook, with newlines as line ends on every system."""
    return notebook.read_text(encoding="utf-8")


def nbgrader(course: Path, *arguments: str) -> None:
    """Run one nbgrader command in a course folder.

    Raises:
        RuntimeError: if it fails; the message contains its output.
    """
    outcome = subprocess.run(  # noqa: S603 - fixed arguments
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
    """Return a PATH with this Python's scripts first, because nbgrader calls `alembic`."""
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])


def main() -> None:
    """Replace the students' notebooks, and print which ones have changed."""
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
