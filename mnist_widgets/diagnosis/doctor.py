"""Check whether the lessons can run here, one finding for each topic.

The checks change nothing. An error inside a check becomes a finding too.
"""

from __future__ import annotations

import html
import importlib
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import NamedTuple
from urllib.parse import urlsplit

from mnist_widgets.diagnosis.front_end_parts import (
    FRONT_END_PARTS,
    find_front_end_part,
    find_misfit,
)
from mnist_widgets.system import threads
from mnist_widgets.system.data_folder import read_data_folder
from mnist_widgets.system.hosts import find_front_end, find_hosts, is_in_colab

_INSTALL = 'pip install --upgrade "mnist_widgets[lab]"'
_IMPORTS = (
    *("numpy", "torch", "torchvision", "tqdm", "platformdirs"),
    *("ipywidgets", "bqplot", "anywidget"),
)
NETWORK_TIMEOUT_S = 3.0
_ANYTHING = (Exception, SystemExit)
"""The errors of an import that become findings; a KeyboardInterrupt must end the doctor."""


class CheckResult(NamedTuple):
    """The result of one check.

    Attributes:
        message: what was found.
        advice: what to do; empty if all is OK.
    """

    message: str
    advice: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether nothing needs to be fixed."""
        return not self.advice


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All findings, by their topics; prints as text, and shows as a table in a notebook."""

    findings: Mapping[str, CheckResult]

    @property
    def verdict(self) -> str:
        """Say in one line whether the lessons will run."""
        wrong = [topic for topic, finding in self.findings.items() if not finding.is_ok]
        if not wrong:
            return "Everything is OK: the lessons will run."
        return f"Fix this first: {', '.join(wrong)}."

    def __repr__(self) -> str:
        width = max(map(len, self.findings))
        lines = []
        for topic, (message, advice) in self.findings.items():
            lines.append(f"{'!!' if advice else 'ok'}  {topic:<{width}}  {message}")
            if advice:
                lines.append(f"{'':{width + 6}}-> {advice}")
        return "\n".join([*lines, self.verdict])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'✗' if advice else '✓'}</td><th scope='row'>{html.escape(topic)}</th>"
            f"<td style='text-align: left'>{html.escape(message)}"
            + (f"<br><strong>{html.escape(advice)}</strong>" if advice else "")
            + "</td></tr>"
            for topic, (message, advice) in self.findings.items()
        )
        return f"<p><strong>{html.escape(self.verdict)}</strong></p><table>{rows}</table>"


def doctor() -> Diagnosis:
    """Check whether the lessons will run here, and say how to fix what is wrong.

    It takes some seconds, changes nothing and never raises. It contacts only the servers that hold
    MNIST, to see whether they answer.

    Returns:
        The findings on versions, imports, JupyterLab, the page's parts, host, threads, device,
        data and network. As the last line of a cell it shows as a table; `print` writes it as text.
    """
    checks: dict[str, Callable[[], CheckResult]] = {
        "versions": check_versions,
        "imports": check_imports,
        "lab": check_lab,
        "page": check_page,
        "host": check_host,
        "threads": check_threads,
        "device": check_device,
        "data": check_data,
        "network": check_network,
    }
    return Diagnosis({topic: _run(check) for topic, check in checks.items()})


def check_versions() -> CheckResult:
    """Compare the installed versions with those that the package requires."""
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
    return _report(found, faults, f"{_INSTALL}, then restart the kernel.")


def check_imports() -> CheckResult:
    """Import the packages that this one needs."""
    faults = {}
    for name in _IMPORTS:
        try:
            importlib.import_module(name)
        except _ANYTHING as error:
            faults[name] = f"{name}: {_describe(error)}"
    # torchvision does not load with a torch from another package index
    broken = dict.fromkeys(["torch"] * ("torchvision" in faults) + list(faults))
    advice = f"pip install --force-reinstall {' '.join(broken)}, then restart the kernel."
    found = [f"{', '.join(_IMPORTS)} load"]
    return _report(found, list(faults.values()), advice)


def check_lab() -> CheckResult:
    """Say whether `mnist-widgets lab` can start JupyterLab, which may run elsewhere as well."""
    if find_spec("jupyterlab") is None:
        return CheckResult(
            "JupyterLab is not in this environment; only `mnist-widgets lab` needs it"
        )
    return CheckResult(f"JupyterLab {metadata.version('jupyterlab')} is in this environment")


def check_page() -> CheckResult:
    """Compare the JavaScript parts that a page loads with their Python packages.

    If Jupyter runs in another environment than this Python, this function cannot see its parts.
    """
    found, faults = [], []
    for name in FRONT_END_PARTS:
        part = find_front_end_part(name)
        if part is None:
            faults.append(f"{name} is missing")
            continue
        found.append(f"{name} {part.version}")
        if misfit := find_misfit(part):
            faults.append(f"{name} {part.version} in {part.folder} does not match {misfit}")
    advice = f"Remove older copies; {_INSTALL}; restart Jupyter and reload the page."
    return _report(found, faults, advice)


def check_host() -> CheckResult:
    """Name the host if it is known, and how it differs from others."""
    facts = [find_front_end(), *find_hosts()]
    if is_in_colab():
        facts.append("a request returns when its training has ended")
    return CheckResult(", ".join(facts))


def check_threads() -> CheckResult:
    """Compare the number of torch's threads with the CPUs that this process can use."""
    import torch

    cpus, num_threads = threads.effective_cpu_count(), torch.get_num_threads()
    spins = threads.IS_TORCH_FIRST or os.environ.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE"
    waiting = "spin" if spins else "sleep"
    found = [f"torch threads: {num_threads}, available CPUs: {cpus:g}, idle threads {waiting}"]
    faults = found[:1] if num_threads > max(1.0, cpus) else []
    if threads.IS_TORCH_FIRST:
        found.append("torch was imported first: import mnist_widgets before it to train faster")
    advice = "Unset OMP_NUM_THREADS and MKL_NUM_THREADS; do not call torch.set_num_threads."
    return _report(found, faults, advice)


def check_device() -> CheckResult:
    """Name the device that trains, and multiply two matrices on it."""
    import torch

    from mnist_widgets.training.devices import pick_device

    device = pick_device()
    name = f"{device}"
    if device.type == "cuda":
        name += f" ({torch.cuda.get_device_name(device)})"
    try:
        ones = torch.ones(64, 64, device=device)
        total = float((ones @ ones).sum())
        fault = "" if total == 64**3 else f"computes wrongly: {total:g}, not 262144"
    except _ANYTHING as error:
        fault = f"cannot compute: {_describe(error)}"
    if fault:
        advice = 'Train on the CPU: dashboard(device="cpu"), Trainer(..., device="cpu").'
        return CheckResult(f"{name} {fault}", advice)
    return CheckResult(f"training runs on {name}, and a test computation is correct")


def check_data() -> CheckResult:
    """Check that MNIST, if it is here, and the bundled digits are complete."""
    from torchvision.datasets import MNIST

    from mnist_widgets.data.loaders import data_root, load_bundled_digits
    from mnist_widgets.data.raw_files import find_faults, find_raw_files

    num_bundled = sum(map(len, load_bundled_digits()))
    bundled = f"the {num_bundled:,} bundled digits are complete"
    root = data_root()
    files = find_raw_files(MNIST, root)
    folders = " and ".join(sorted({str(file.path.parent) for file in files.values() if file.path}))
    faults = find_faults(files)
    if not faults:
        return CheckResult(f"MNIST is complete, in {folders}; {bundled}")
    if folders:
        damage = ", ".join(f"{name} {fault}" for name, fault in faults.items())
        return CheckResult(f"MNIST in {folders}: {damage}", "Run: mnist-widgets data")
    if read_data_folder() and not root.is_dir():
        message = f"MNIST_WIDGETS_DATA names {root}, which is not a folder; {bundled}"
        return CheckResult(message, "Correct the variable, or run: mnist-widgets data")
    return CheckResult(f"MNIST is not in {root} yet; {bundled}")


def check_network() -> CheckResult:
    """Check whether a server of MNIST answers; the lessons also run without a network."""
    from torchvision.datasets import MNIST

    from mnist_widgets.data.downloads import find_answering_mirror

    mirror = find_answering_mirror(MNIST.mirrors, MNIST.resources[0][0], NETWORK_TIMEOUT_S)
    hosts = " and ".join(str(urlsplit(address).hostname) for address in MNIST.mirrors)
    answer = f"no answer within {NETWORK_TIMEOUT_S:g} s; the bundled digits need no network"
    if mirror is not None:
        answer = f"{urlsplit(mirror).hostname} answers"
    return CheckResult(f"asked {hosts} for MNIST, {answer}")


def _run(check: Callable[[], CheckResult]) -> CheckResult:
    """Return the finding of `check`, or one for the error that it raises."""
    try:
        return check()
    except _ANYTHING as error:
        message = f"could not be checked: {_describe(error)}"
        return CheckResult(message, "Fix the other findings first, or report this one.")


def _report(found: list[str], faults: list[str], advice: str) -> CheckResult:
    return CheckResult("; ".join(faults), advice) if faults else CheckResult(", ".join(found))


def _describe(error: BaseException) -> str:
    """Return an error in one line."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
