"""Find the JavaScript parts of the panels that Jupyter loads, and compare their versions.

Each part comes in the same package as its Python side. But Jupyter silently loads an older copy if
it is in a folder that Jupyter searches first, such as the user's own.
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
"""The parts that JupyterLab and Notebook 7 load: folder of the extension, Python package."""

# For each major version of ipywidgets: that of the manager with the same widget protocol.
MANAGERS = {"7": "3", "8": "5"}


class FrontEndPart(NamedTuple):
    """One part on the disk.

    Attributes:
        name: a key of `FRONT_END_PARTS`.
        version: of the part, which can differ from that of the Python package.
        folder: that holds the part.
    """

    name: str
    version: str
    folder: Path


def find_front_end_part(
    name: str, folders: Iterable[str | Path] | None = None
) -> FrontEndPart | None:
    """Find the part that Jupyter would load, which is the first one.

    Args:
        name: one of `FRONT_END_PARTS`.
        folders: to search; by default Jupyter's own list.

    Returns:
        The part, or None if there is none.
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
    """Return what the Python side requires instead of a part, or "" if the part matches."""
    package = FRONT_END_PARTS[part.name]
    wanted = installed = metadata.version(package)
    is_match = part.version == installed  # most have the same version number on both sides
    if package == "ipywidgets":
        wanted = MANAGERS.get(installed.partition(".")[0], "any")
        is_match = wanted in {"any", part.version.partition(".")[0]}
    elif package == "bqplot":
        from bqplot._version import __frontend_version__

        wanted = __frontend_version__
        is_match = _is_compatible(part.version, wanted)
    return "" if is_match else f"{package} {installed} in Python, which needs {wanted}"


def _is_compatible(version: str, wanted: str) -> bool:
    """Return whether a version is in npm's range `^1.2`.

    That is: not older, and equal up to the first number that is not zero.
    (https://github.com/npm/node-semver#caret-ranges-123-025-004)
    """
    from packaging.specifiers import SpecifierSet

    least = wanted.removeprefix("^")
    numbers = least.split(".")
    num_alike = 1 + next((i for i, number in enumerate(numbers) if number != "0"), 0)
    alike = ".".join(numbers[:num_alike])
    return SpecifierSet(f">={least},=={alike}.*").contains(version, prereleases=True)
