"""Choose the number of torch's threads, how they wait for each other, and their priority.

Torch sees the machine's cores, not a container's quota, and OpenMP's idle threads spin: four
notebooks on a shared two-core server then slow each other down tenfold. OpenMP reads its settings
once, when torch loads, so the package imports this module first and calls `prepare_threads` before
torch loads and `set_torch_threads` after it.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path

MAX_TORCH_THREADS = 4
TRAINING_NICENESS = 10
"""Between 0, the usual priority, and 19, the lowest."""
IS_TORCH_FIRST = "torch" in sys.modules
"""Whether torch was imported before the package, so that `prepare_threads` came too late."""


def prepare_threads(environ: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's idle threads spin only briefly, then sleep, unless the user chose otherwise.

    Milliseconds a step with two threads over one, at batches of 16, 32, 64 and 512: 1.61, 1.41,
    1.28, 0.67 if idle threads sleep at once; 0.77, 0.80, 0.68, 0.56 after a thousand turns of
    spinning. Four trainers at once on two cores are then 1.16 times slower than with one thread
    each; with ten thousand turns, 2.2 times. `benchmarks/threads.py` measures it.

    Args:
        environ: Where to look for `OMP_WAIT_POLICY` and `GOMP_SPINCOUNT`, and where to set them.
            A count would undo the policy `ACTIVE`, so where the user chose it, none is set.
    """
    environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if environ["OMP_WAIT_POLICY"].upper() == "PASSIVE":
        environ.setdefault("GOMP_SPINCOUNT", "1000")


def set_torch_threads(
    environ: Mapping[str, str] = os.environ, *, is_torch_first: bool = IS_TORCH_FIRST
) -> int:
    """Let torch compute with as many threads as `choose_num_threads` says.

    Changes nothing if the user set `OMP_NUM_THREADS` or `MKL_NUM_THREADS`. If torch was imported
    first, the user may have set its threads, so their number is never raised.

    Args:
        environ: Where to look for the user's own settings.
        is_torch_first: Whether torch was imported before the package.

    Returns:
        The number of threads torch now computes with.
    """
    import torch

    if not (environ.get("OMP_NUM_THREADS") or environ.get("MKL_NUM_THREADS")):
        num_threads = choose_num_threads(
            effective_cpu_count(environ=environ), is_torch_first=is_torch_first
        )
        if num_threads < torch.get_num_threads() or not is_torch_first:
            torch.set_num_threads(num_threads)
    return torch.get_num_threads()


def lower_priority() -> None:
    """Let the rest of the computer go before the calling thread and those that it starts.

    A training computes on all CPUs. The browser and the kernel's other threads need them for
    moments, but at once: with this the drawing pad answers within 138 ms instead of 262 ms (95 % of
    the strokes, two cores; `benchmarks/drawing_pad.py`). Linux alone has priorities of threads;
    where they cannot be set, nothing changes.
    """
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        niceness = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(niceness, TRAINING_NICENESS))


def choose_num_threads(cpus: float, *, is_torch_first: bool = False) -> int:
    """Return how many threads compute: one for each CPU.

    Where torch was imported first, its idle threads spin for long, so one CPU is kept free.

    Args:
        cpus: CPUs this process may use, a quota's fraction included.
        is_torch_first: Whether torch was imported before the package.

    Returns:
        Between 1 and `MAX_TORCH_THREADS`.
    """
    return max(1, min(MAX_TORCH_THREADS, int(cpus) - is_torch_first))


def effective_cpu_count(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> float:
    """Count the CPUs this process may really use: the tightest of all the limits set for it.

    Considers the CPU affinity, the cgroup quotas (v1 and v2) and `CPU_LIMIT`, which Binder and
    JupyterHub set. A limit that is missing, malformed or not positive does not count.

    Args:
        root: The folder that holds `proc` and `sys`.
        environ: Where to look for `CPU_LIMIT`.

    Returns:
        A positive number of CPUs, not always whole.
    """
    limits = [float(_count_allowed_cpus()), *_read_cgroup_limits(root)]
    limits.append(_divide(environ.get("CPU_LIMIT", ""), "1"))
    return min(limit for limit in limits if math.isfinite(limit) and limit > 0)


def _count_allowed_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_cgroup_limits(root: Path) -> Iterator[float]:
    """Yield a number of CPUs for each quota on the process's own cgroup and on those above it."""
    mounts = root / "sys/fs/cgroup"
    for line in _read_text(root / "proc/self/cgroup").splitlines():
        _, _, controllers_and_path = line.partition(":")
        controllers, _, path = controllers_and_path.partition(":")
        if not controllers:  # version 2 has one hierarchy and names no controllers
            for folder in _list_from_group_to_mount(mounts, path):
                quota, _, period = _read_text(folder / "cpu.max").partition(" ")
                yield _divide(quota, period)
        elif "cpu" in controllers.split(","):
            for mount in (mounts / controllers, mounts / "cpu"):
                for folder in _list_from_group_to_mount(mount, path):
                    quota = _read_text(folder / "cpu.cfs_quota_us")
                    yield _divide(quota, _read_text(folder / "cpu.cfs_period_us"))


def _list_from_group_to_mount(mount: Path, path: str) -> list[Path]:
    """List a cgroup's folder and its ancestors; in a container perhaps only the mount exists."""
    folder = mount / path.lstrip("/")
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(mount))]


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _divide(dividend: str, divisor: str) -> float:
    """Divide two numbers given as text; return infinity, which is no limit, if that fails."""
    try:
        return float(dividend) / float(divisor)
    except (ValueError, ZeroDivisionError):
        return math.inf
