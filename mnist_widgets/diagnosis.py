"""Is everything here that a lesson needs, and does it fit together? One line for each answer.

It looks and tells; it changes nothing, and whatever goes wrong while it looks becomes an answer
too.
"""

from __future__ import annotations

import html
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from mnist_widgets import runtime
from mnist_widgets.data import data_root
from mnist_widgets.downloads import find_answering_mirror, find_faults

FRONT_END_PARTS = ("@jupyter-widgets/jupyterlab-manager", "bqplot", "bqscales", "anywidget")
"""What JupyterLab and Notebook 7 load to show the panels, by its folder among the extensions."""
SAME_VERSION = ("bqscales", "anywidget")  # these two number both sides alike
_INSTALL = 'pip install --upgrade "mnist_widgets[lab]"'
_VISIBLE_NETWORK_S = 3.0

Environment = Mapping[str, str]


class Finding(NamedTuple):
    """One answer.

    Attributes:
        topic: what was looked at.
        is_well: whether a lesson runs with it.
        words: what was seen.
        advice: what to do, if it is not well.
    """

    topic: str
    is_well: bool
    words: str
    advice: str = ""


class Diagnosis(NamedTuple):
    """All answers; prints as a table, and shows as one in a notebook."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """Return in one line whether the lessons will run."""
        ill = [finding.topic for finding in self.findings if not finding.is_well]
        if not ill:
            return "All is well: the lessons will run."
        return f"Look at this first: {', '.join(ill)}."

    def __str__(self) -> str:
        width = max(len(finding.topic) for finding in self.findings)
        lines = []
        for topic, is_well, words, advice in self.findings:
            lines.append(f"{'ok' if is_well else '!!'}  {topic:<{width}}  {words}")
            if advice:
                lines.append(f"{'':{width + 6}}-> {advice}")
        return "\n".join([*lines, self.verdict])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'✓' if is_well else '✗'}</td><th scope='row'>{html.escape(topic)}</th>"
            f"<td style='text-align: left'>{html.escape(words)}"
            + (f"<br><strong>{html.escape(advice)}</strong>" if advice else "")
            + "</td></tr>"
            for topic, is_well, words, advice in self.findings
        )
        return f"<p><strong>{html.escape(self.verdict)}</strong></p><table>{rows}</table>"


def doctor(environ: Environment = os.environ) -> Diagnosis:
    """Look at versions, front end, threads, data and network; takes seconds and never raises.

    Args:
        environ: the environment variables to go by.
    """
    looks: list[Callable[[], Iterable[Finding]]] = [
        look_at_versions,
        look_at_front_end_parts,
        lambda: [look_at_place(environ)],
        lambda: [look_at_threads(environ)],
        lambda: [look_at_data()],
        lambda: [look_at_network()],
    ]
    findings: list[Finding] = []
    for topic, look in zip(
        ("versions", "front end", "place", "threads", "data", "network"), looks, strict=True
    ):
        try:
            findings += look()
        except Exception as error:  # noqa: BLE001 - what it cannot look at is an answer too
            words = f"could not be looked at: {type(error).__name__}: {error}"
            findings.append(Finding(topic, False, words, "Report this with the table."))
    return Diagnosis(tuple(findings))


def look_at_versions() -> list[Finding]:
    """Compare what is installed with what the package asks for."""
    from packaging.requirements import Requirement

    asked = [Requirement(line) for line in metadata.requires("mnist_widgets") or []]
    found, faults = [f"Python {platform.python_version()}"], []
    for requirement in asked:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            faults.append(f"{requirement.name} is missing")
            continue
        found.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            faults.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if faults:
        return [Finding("versions", False, "; ".join(faults), _INSTALL)]
    return [Finding("versions", True, ", ".join(found))]


def look_at_front_end_parts(folders: Iterable[str | Path] | None = None) -> list[Finding]:
    """Look for the parts that a page loads, beside this Python.

    Args:
        folders: where Jupyter keeps its extensions; by default its own list.
    """
    from jupyter_core.paths import jupyter_path

    places = [Path(folder) for folder in folders or jupyter_path("labextensions")]
    found, faults = [], []
    for name in FRONT_END_PARTS:
        files = [place / name / "package.json" for place in places]
        manifest = next((file for file in files if file.is_file()), None)
        if manifest is None:
            faults.append(f"{name} is missing")
            continue
        version = json.loads(manifest.read_text(encoding="utf-8"))["version"]
        found.append(f"{name} {version}")
        if wanted := _find_fault(name, version):
            faults.append(f"{name} {version} does not fit {wanted}")
    if faults:
        advice = f"{_INSTALL}, then restart Jupyter and reload the page"
        return [Finding("front end", False, "; ".join(faults), advice)]
    return [Finding("front end", True, ", ".join(found))]


def _find_fault(name: str, version: str) -> str:
    """Return which version the Python side wants instead; nothing if it is content."""
    if name in SAME_VERSION:
        wanted = metadata.version(name)
        return "" if wanted == version else f"{name} {wanted} for Python"
    if name == "bqplot":
        from bqplot._version import __frontend_version__, __version__
        from packaging.specifiers import SpecifierSet

        wanted = __frontend_version__.removeprefix("^")  # npm's word for compatible
        compatible = SpecifierSet(f"~={wanted}").contains(version, prereleases=True)
        return "" if compatible else f"bqplot {__version__} for Python, which wants {wanted}"
    return ""


def look_at_place(environ: Environment) -> Finding:
    """Say where this runs, as far as it can be told."""
    signs = {
        "Google Colab": "COLAB_RELEASE_TAG",
        "Binder": "BINDER_SERVICE_HOST",
        "GitHub Codespaces": "CODESPACES",
        "JupyterHub": "JUPYTERHUB_USER",
        "VS Code": "VSCODE_PID",
    }
    kernel = "a Jupyter kernel" if "ipykernel" in sys.modules else "no Jupyter kernel"
    places = [place for place, sign in signs.items() if environ.get(sign)]
    return Finding("place", True, ", ".join([*places, kernel]))


def look_at_threads(environ: Environment) -> Finding:
    """Compare torch's threads with the CPUs that this process may use."""
    import torch

    cpus, threads = runtime.effective_cpu_count(environ=environ), torch.get_num_threads()
    policy = environ.get("OMP_WAIT_POLICY", "not set")
    words = f"{threads} for torch, {cpus:g} CPUs to use, idle threads: {policy.lower()}"
    if threads > max(1.0, cpus):
        advice = "Import mnist_widgets before you set threads, or unset OMP_NUM_THREADS."
        return Finding("threads", False, words, advice)
    return Finding("threads", True, words)


def look_at_data() -> Finding:
    """Say whether MNIST is on this computer and whole."""
    from torchvision.datasets import MNIST

    folder = data_root() / "MNIST" / "raw"
    faults = find_faults(MNIST, folder)
    if not faults:
        return Finding("data", True, f"MNIST is whole, in {folder}")
    if not folder.exists():
        return Finding("data", True, "MNIST is not here yet; the lessons fetch it when they can")
    words = f"MNIST in {folder}: " + "; ".join(f"{name} {why}" for name, why in faults.items())
    return Finding("data", False, words, "mnist-widgets data")


def look_at_network() -> Finding:
    """Say whether MNIST could be fetched; a room without a network is well too."""
    from torchvision.datasets import MNIST

    archive = MNIST.resources[0][0]
    mirror = find_answering_mirror(MNIST.mirrors, archive, timeout_s=_VISIBLE_NETWORK_S)
    if mirror is None:
        return Finding("network", True, "none to fetch MNIST from; the bundled digits need none")
    return Finding("network", True, "MNIST can be fetched")
