"""The lessons: where they lie, a student's own copies of them, and JupyterLab opened on the first.

What stands in them is the notebooks' business, what the terminal says about it that of `cli`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

NOT_FOR_STUDENTS = {"solutions", "README.md", ".ipynb_checkpoints"}


def lessons_folder() -> Path:
    """Return the folder of the lessons as they came.

    They lie inside the package where it is installed, and beside it in a source checkout.
    """
    package = Path(__file__).parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def find_lessons() -> list[Path]:
    """Return a student's files in their order, relative to `lessons_folder()`."""
    folder = lessons_folder()
    files = (path.relative_to(folder) for path in folder.rglob("[!.]*") if path.is_file())
    return sorted(file for file in files if NOT_FOR_STUDENTS.isdisjoint(file.parts))


def copy_lessons(folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy each lesson that `folder` lacks, and leave what is there as it is.

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
            with copy.open("xb") as file:  # x: never onto a file that exists
                file.write(content)
        except FileExistsError:
            kept.append(lesson)
        else:
            copied.append(lesson)
    return copied, kept


def open_lab(folder: Path, arguments: Iterable[str] = ()) -> NoReturn:
    """Turn this process into a JupyterLab in `folder`, opened on the first lesson.

    Args:
        folder: holds the student's copies.
        arguments: handed on to JupyterLab, and stronger than what is set here.

    Raises:
        ModuleNotFoundError: if JupyterLab is not installed.
    """
    if find_spec("jupyterlab") is None:
        raise ModuleNotFoundError("JupyterLab is not installed.")
    command = [
        sys.executable,
        *("-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{find_lessons()[0].as_posix()}",
        # Jupyter refuses root; in a container root is often the only user there is
        *(["--allow-root"] if _is_root() else []),
        *arguments,
    ]
    _make_data_root_absolute()
    if sys.platform == "win32":  # its exec would leave the terminal with nothing to wait for
        sys.exit(subprocess.run(command, check=False).returncode)
    sys.stdout.flush()
    os.execv(sys.executable, command)  # as a parent, this process would hold on to torch's memory


def _make_data_root_absolute() -> None:
    """Let a relative `MNIST_WIDGETS_DATA` mean the same in kernels, which run elsewhere."""
    if root := os.environ.get("MNIST_WIDGETS_DATA", "").strip():
        os.environ["MNIST_WIDGETS_DATA"] = str(Path(root).expanduser().absolute())


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
