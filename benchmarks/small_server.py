"""Measure memory and time of the first lesson on a small server such as Binder's.

It starts JupyterLab with `binder/start` on one core and, if it can make a cgroup, with 2 GB of
memory, as on Binder. It opens the lesson in a Chromium without these limits and runs all cells. The
result is the sum of the peaks of the resident memory of the server and the kernel.

    python benchmarks/small_server.py

It runs only on Linux, with the bundled digits, and with MNIST if `MNIST_WIDGETS_DATA` is set.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from real_lab import ROOT, LabServer, describe_load, open_page

LESSON = ROOT / "notebooks" / "01_training_a_neural_network.ipynb"
LIMIT_BYTES = 2_000_000_000  # mybinder.org's limit for one user
BOUND_MB = 1_200
TIMEOUT_S = 600
JOIN_AND_BECOME = 'if [ -n "$0" ]; then echo $$ > "$0"/cgroup.procs; fi; exec taskset -c 0 "$@"'


class SmallServer(LabServer):
    """A server on one core in a cgroup with limited memory.

    Args:
        group: the folder of its cgroup, if there is one.
        data: the folder of the data sets, if it may use them.
    """

    def __init__(self, group: Path | None, data: str | None) -> None:
        self._room = Path(tempfile.mkdtemp())
        super().__init__(self._room)
        self._group = group
        self._data = data

    def start(self) -> None:
        """Start the server, with MNIST in the folder that the lesson uses."""
        super().start()
        if self._data:
            (self._room / "no-data" / "MNIST").symlink_to(Path(self._data).resolve() / "MNIST")

    def measure_peaks_mb(self) -> dict[str, float]:
        """Return the peak of the resident memory of the server and of its kernels, in MB."""
        server = psutil.Process(self._process.pid)
        kernels = server.children(recursive=True)
        return {"server": read_peak_mb(server), "kernel": sum(map(read_peak_mb, kernels))}

    def _command(self) -> list[str]:
        limits = ["sh", "-c", JOIN_AND_BECOME, str(self._group or "")]
        return [*limits, str(ROOT / "binder" / "start"), *super()._command()]

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "CPU_LIMIT": "1"}


def read_peak_mb(process: psutil.Process) -> float:
    """Return the peak of the resident memory of a process, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6


@contextmanager
def limit_memory() -> Iterator[Path | None]:
    """Yield the folder of a new cgroup with Binder's memory limit, or None if there is none.

    Both versions of cgroups work. Version 1 has a separate hierarchy for memory.
    """
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    paths = {name: path for _, name, path in (line.split(":", 2) for line in lines)}
    mount = Path("/sys/fs/cgroup")
    if "memory" in paths:
        parent, file = mount / "memory" / paths["memory"].lstrip("/"), "memory.limit_in_bytes"
    else:
        parent, file = mount / paths.get("", "").lstrip("/"), "memory.max"
    group = parent / f"mnist_widgets_{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        print(f"memory is measured, not limited: {error}")
        yield None
        return
    try:
        (group / file).write_text(str(LIMIT_BYTES))
        yield group
    finally:
        group.rmdir()


def measure(data: str | None) -> float:
    """Run the lesson, print the results, and return the peak of its memory in MB."""
    with limit_memory() as group:
        server = SmallServer(group, data)
        with open_page(server) as lab:
            lab.open_notebook(LESSON)
            before = sum(server.measure_peaks_mb().values())
            began = time.perf_counter()
            lab.run_all(TIMEOUT_S)
            seconds = time.perf_counter() - began
            num_images = lab.run_cell("print(len(train_set), end='')")
            peaks = server.measure_peaks_mb()
        limit = f", in a cgroup of {LIMIT_BYTES / 1e9:g} GB" if group else ""
    parts = ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.items())
    print(
        f"{int(num_images):6,} images: {sum(peaks.values()):5.0f} MB at the peak ({parts}; "
        f"before any cell {before:.0f}), {seconds:.0f} s for Run All on one core"
        f"   (memory limit {BOUND_MB:,} MB{limit})"
    )
    return sum(peaks.values())


def main() -> None:
    """Measure with the bundled digits, and with MNIST if it is available."""
    print(describe_load())
    peaks_mb = [measure(None)]
    if data := os.environ.get("MNIST_WIDGETS_DATA"):
        peaks_mb.append(measure(data))
    sys.exit(max(peaks_mb) > BOUND_MB)


if __name__ == "__main__":
    main()
