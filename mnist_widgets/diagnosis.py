"""Is everything here that a lesson needs, and does it fit together? One line for each answer.

It looks and tells; it changes nothing, and whatever goes wrong while it looks becomes an answer
too. Where the page's parts and the places are told from each other is left to `front_end_parts`
and `places`.
"""

from __future__ import annotations

import html
import importlib
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import NamedTuple
from urllib.parse import urlsplit

from mnist_widgets import runtime
from mnist_widgets.front_end_parts import FRONT_END_PARTS, find_front_end_part, find_misfit
from mnist_widgets.places import find_front_end, find_hosts, is_in_colab

_INSTALL = 'pip install --upgrade "mnist_widgets[lab]"'
_IMPORTS = (
    *("numpy", "torch", "torchvision", "tqdm", "platformdirs"),
    *("ipywidgets", "bqplot", "anywidget"),
)
_NETWORK_TIMEOUT_S = 3.0
_ANYTHING = (Exception, SystemExit)
"""What an import may end in; an interrupt is left to whoever caused it."""


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


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All answers; prints as a table, and shows as one in a notebook."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """Return in one line whether the lessons will run."""
        ill = [finding.topic for finding in self.findings if not finding.is_well]
        if not ill:
            return "All is well: the lessons will run."
        return f"Look at this first: {', '.join(ill)}."

    def __repr__(self) -> str:
        width = max((len(finding.topic) for finding in self.findings), default=0)
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


def doctor() -> Diagnosis:
    """Look whether the lessons will run here, and say what to do about each thing that is wrong.

    It takes some seconds, changes nothing and never raises. To see whether MNIST could be fetched
    it asks the servers that hold it, and tells nobody anything else.

    Returns:
        The findings on versions, imports, the page's parts, place, threads, device, data and
        network. As the last line of a cell it shows as a table; `print` writes it as text.
    """
    looks: dict[str, Callable[[], Finding]] = {
        "versions": look_at_versions,
        "imports": look_at_imports,
        "page": look_at_front_end_parts,
        "place": look_at_place,
        "threads": look_at_threads,
        "device": look_at_device,
        "data": look_at_data,
        "network": look_at_network,
    }
    return Diagnosis(tuple(_look(topic, look) for topic, look in looks.items()))


def look_at_versions() -> Finding:
    """Compare what is installed with what the package asks for."""
    from packaging.requirements import Requirement

    own = metadata.version("mnist_widgets")
    found, faults = [f"mnist_widgets {own}", f"Python {platform.python_version()}"], []
    for requirement in map(Requirement, metadata.requires("mnist_widgets") or []):
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
    return _judge("versions", found, faults, f"{_INSTALL}, then restart the kernel.")


def look_at_imports() -> Finding:
    """Import what the package stands on."""
    faults = {}
    for name in _IMPORTS:
        try:
            importlib.import_module(name)
        except _ANYTHING as error:
            faults[name] = f"{name}: {_describe(error)}"
    # a torch and a torchvision from two places do not fit each other
    broken = dict.fromkeys(["torch"] * ("torchvision" in faults) + list(faults))
    advice = f"pip install --force-reinstall {' '.join(broken)}, then restart the kernel."
    found = [f"{', '.join(_IMPORTS)} load"]
    return _judge("imports", found, list(faults.values()), advice)


def look_at_front_end_parts(folders: Iterable[str] | None = None) -> Finding:
    """Compare the parts that a page loads with their Python sides.

    A Jupyter that runs in another environment than this Python loads its own parts, unseen here.

    Args:
        folders: where Jupyter keeps its extensions; by default its own list.
    """
    places = None if folders is None else list(folders)
    found, faults = [], []
    for name in FRONT_END_PARTS:
        part = find_front_end_part(name, places)
        if part is None:
            faults.append(f"{name} is missing")
            continue
        found.append(f"{name} {part.version}")
        if misfit := find_misfit(part):
            faults.append(f"{name} {part.version} in {part.folder} does not fit {misfit}")
    advice = f"Remove older copies; {_INSTALL}; restart Jupyter and reload the page."
    return _judge("page", found, faults, advice)


def look_at_place() -> Finding:
    """Say where this runs, as far as it can be told, and what is special about it."""
    words = [find_front_end(), *find_hosts()]
    if is_in_colab():
        words.append("a request returns when its training has ended")
    return Finding("place", True, ", ".join(words))


def look_at_threads() -> Finding:
    """Compare torch's threads with the CPUs that this process may use."""
    import torch

    cpus, num_threads = runtime.effective_cpu_count(), torch.get_num_threads()
    spins = runtime.IS_TORCH_FIRST or os.environ.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE"
    waiting = "spin" if spins else "sleep"
    found = [f"torch computes with {num_threads}, CPUs to use: {cpus:g}, idle threads {waiting}"]
    if num_threads > max(1.0, cpus):
        advice = "Unset OMP_NUM_THREADS and MKL_NUM_THREADS; do not call torch.set_num_threads."
        return Finding("threads", False, found[0], advice)
    if runtime.IS_TORCH_FIRST:
        found.append("torch was imported first: import mnist_widgets before it to train faster")
    return Finding("threads", True, ", ".join(found))


def look_at_device(device: str | None = None) -> Finding:
    """Name the device that trains, and try one product of matrices on it.

    Args:
        device: the device to try; by default the one that training picks.
    """
    import torch

    from mnist_widgets.devices import pick_device

    chosen = pick_device() if device is None else torch.device(device)
    name = f"{chosen}"
    if chosen.type == "cuda":
        name += f" ({torch.cuda.get_device_name(chosen)})"
    advice = 'Train without it: dashboard(device="cpu"), Trainer(..., device="cpu").'
    try:
        ones = torch.ones(64, 64, device=chosen)
        total = float((ones @ ones).sum())
    except _ANYTHING as error:
        return Finding("device", False, f"{name} cannot compute: {_describe(error)}", advice)
    if total != 64**3:
        return Finding("device", False, f"{name} computes wrongly: {total:g}, not 262144", advice)
    return Finding("device", True, f"training computes on {name}, and a trial product is right")


def look_at_data() -> Finding:
    """Say whether MNIST is on this computer and whole, and the bundled digits with it."""
    from torchvision.datasets import MNIST

    from mnist_widgets.data import data_root, load_bundled_digits
    from mnist_widgets.raw_files import find_faults, find_raw_files

    num_bundled = sum(map(len, load_bundled_digits()))
    bundled = f"the {num_bundled:,} bundled digits are whole"
    root = data_root()
    files = find_raw_files(MNIST, root)
    folders = " and ".join(sorted({str(file.path.parent) for file in files.values() if file.path}))
    faults = find_faults(files)
    if not faults:
        return Finding("data", True, f"MNIST is whole, in {folders}; {bundled}")
    if folders:
        damage = ", ".join(f"{name} {fault}" for name, fault in faults.items())
        return Finding("data", False, f"MNIST in {folders}: {damage}", "Run: mnist-widgets data")
    if os.environ.get("MNIST_WIDGETS_DATA", "").strip() and not root.is_dir():
        words = f"MNIST_WIDGETS_DATA names {root}, which is no folder; {bundled}"
        return Finding("data", False, words, "Mend the variable, or run: mnist-widgets data")
    return Finding("data", True, f"MNIST is not in {root} yet; {bundled}")


def look_at_network(timeout_s: float = _NETWORK_TIMEOUT_S) -> Finding:
    """Say whether MNIST could be fetched; a room without a network is well too.

    Args:
        timeout_s: how long to wait for an answer, in seconds.
    """
    from torchvision.datasets import MNIST

    from mnist_widgets.downloads import find_answering_mirror

    mirror = find_answering_mirror(MNIST.mirrors, MNIST.resources[0][0], timeout_s)
    hosts = " and ".join(str(urlsplit(address).hostname) for address in MNIST.mirrors)
    answer = f"no answer within {timeout_s:g} s; the bundled digits need none"
    if mirror is not None:
        answer = f"{urlsplit(mirror).hostname} answers"
    return Finding("network", True, f"asked {hosts} for MNIST, {answer}")


def _look(topic: str, look: Callable[[], Finding]) -> Finding:
    """Return what `look` finds; what it cannot look at is a finding too."""
    try:
        return look()
    except _ANYTHING as error:
        words = f"could not be looked at: {_describe(error)}"
        return Finding(topic, False, words, "See to the other findings first; else report this.")


def _judge(topic: str, found: list[str], faults: list[str], advice: str) -> Finding:
    if faults:
        return Finding(topic, False, "; ".join(faults), advice)
    return Finding(topic, True, ", ".join(found))


def _describe(error: BaseException) -> str:
    """Return an error in one line."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
