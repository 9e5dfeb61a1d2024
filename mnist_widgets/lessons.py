"""Find the lessons, copy them to a student's folder, and open JupyterLab on the first one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from mnist_widgets.system.data_folder import DATA_VARIABLE, read_data_folder

NOT_FOR_STUDENTS = {"solutions", "README.md", ".ipynb_checkpoints"}


def lessons_folder() -> Path:
    """Return the folder of the original lessons.

    In an installed package it is inside the package, in a source checkout beside it.
    """
    package = Path(__file__).parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def find_lessons() -> list[Path]:
    """Return the files for students in order, relative to `lessons_folder()`."""
    folder = lessons_folder()
    files = (path.relative_to(folder) for path in folder.rglob("[!.]*") if path.is_file())
    return sorted(file for file in files if NOT_FOR_STUDENTS.isdisjoint(file.parts))


def split_folder(arguments: Sequence[str], default: str) -> tuple[Path, Sequence[str]]:
    """Return the folder for the lessons, and the arguments for JupyterLab.

    Args:
        arguments: they may begin with a folder.
        default: the folder if they do not.

    Raises:
        ValueError: if the folder is empty, or a second one follows.
    """
    if not arguments or arguments[0].startswith("-"):
        return Path(default).expanduser().absolute(), arguments
    folder, *further = arguments
    if not folder.strip():
        raise ValueError(
            f"the name of the folder for the lessons is empty. Write one, or none for {default}."
        )
    if further and not further[0].startswith("-"):
        raise ValueError(
            f"the lessons can be copied to one folder only, but here are two: {folder} and "
            f"{further[0]}. Put a name with spaces in quotation marks."
        )
    return Path(folder).expanduser().absolute(), further


def copy_lessons(folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy each lesson that `folder` lacks; existing files stay unchanged.

    Returns:
        The files copied and the files kept, relative to `folder`.

    Raises:
        OSError: if `folder` cannot be written.
    """
    copied, kept = [], []
    for lesson in find_lessons():
        content = (lessons_folder() / lesson).read_bytes()
        copy = folder / lesson
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            with copy.open("xb") as file:  # x: never overwrites a file
                file.write(content)
        except FileExistsError:
            kept.append(lesson)
        else:
            copied.append(lesson)
    return copied, kept


def require_jupyterlab() -> None:
    """Check that `open_lab` can start JupyterLab.

    Raises:
        ModuleNotFoundError: if JupyterLab is not installed.
    """
    if find_spec("jupyterlab") is None:
        raise ModuleNotFoundError(
            'JupyterLab is missing. Install it with: pip install "mnist_widgets[lab]"'
        )


def open_lab(folder: Path, arguments: Iterable[str] = ()) -> NoReturn:
    """Replace this process by a JupyterLab in `folder` that shows the first lesson.

    Args:
        folder: holds the student's copies.
        arguments: go to JupyterLab and override the settings made here.
    """
    command = [
        sys.executable,
        *("-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{find_lessons()[0].as_posix()}",
        # Jupyter refuses root, which is often the only user of a container
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        *arguments,
    ]
    _make_data_root_absolute()
    if sys.platform == "win32":  # there a terminal does not wait for a program started by exec
        sys.exit(subprocess.run(command, check=False).returncode)
    sys.stdout.flush()
    os.execv(sys.executable, command)  # a parent process would keep torch's memory


def _make_data_root_absolute() -> None:
    """Make `MNIST_WIDGETS_DATA` absolute, because kernels run in other folders."""
    if root := read_data_folder():
        os.environ[DATA_VARIABLE] = str(Path(root).expanduser().absolute())
