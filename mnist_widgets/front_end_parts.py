"""The parts of the panels that run in the page: which of them Jupyter loads, and do they fit.

Each comes in the same package as its Python side, but an older copy that lies in a folder which
Jupyter looks into earlier, such as the user's own, takes its place without a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

FRONT_END_PARTS = {
    "@jupyter-widgets/jupyterlab-manager": "ipywidgets",
    "bqplot": "bqplot",
    "bqscales": "bqscales",
    "anywidget": "anywidget",
}
"""What JupyterLab and Notebook 7 load: its folder among the extensions, its Python package."""

# The first number of the manager that speaks the widgets' protocol of an ipywidgets.
MANAGERS = {"7": "3", "8": "5"}


class FrontEndPart(NamedTuple):
    """One part as it lies on the disk.

    Attributes:
        name: as in `FRONT_END_PARTS`.
        version: its own, which need not be that of the Python package.
        folder: where it lies.
    """

    name: str
    version: str
    folder: Path


def find_front_end_part(
    name: str, folders: Iterable[str | Path] | None = None
) -> FrontEndPart | None:
    """Find the part that Jupyter would load: the first one counts, as it does there.

    Args:
        name: one of `FRONT_END_PARTS`.
        folders: where to look; by default Jupyter's own list.

    Returns:
        The part, or None where there is none.
    """
    if folders is None:
        from jupyter_core.paths import jupyter_path

        folders = jupyter_path("labextensions")
    manifests = (Path(folder) / name / "package.json" for folder in folders)
    manifest = next((file for file in manifests if file.is_file()), None)
    if manifest is None:
        return None
    version = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return FrontEndPart(name, version, manifest.parent)


def find_misfit(part: FrontEndPart) -> str:
    """Return what the Python side wants in place of a part; nothing if it is content."""
    package = FRONT_END_PARTS[part.name]
    installed = metadata.version(package)
    if package == "ipywidgets":
        wanted = MANAGERS.get(installed.partition(".")[0], "any")
        is_content = wanted in {"any", part.version.partition(".")[0]}
    elif package == "bqplot":
        from bqplot._version import __frontend_version__

        wanted = __frontend_version__
        is_content = _is_compatible(part.version, wanted)
    else:  # these number both sides alike
        wanted = installed
        is_content = part.version == installed
    return "" if is_content else f"{package} {installed} in Python, which wants {wanted}"


def _is_compatible(version: str, wanted: str) -> bool:
    """Tell whether a version is in npm's range `^1.2`: as new, and alike up to the first non-zero.

    (https://github.com/npm/node-semver#caret-ranges-123-025-004)
    """
    from packaging.specifiers import SpecifierSet

    least = wanted.removeprefix("^")
    numbers = least.split(".")
    num_alike = 1 + next((i for i, number in enumerate(numbers) if number != "0"), 0)
    alike = ".".join(numbers[:num_alike])
    return SpecifierSet(f">={least},=={alike}.*").contains(version, prereleases=True)
