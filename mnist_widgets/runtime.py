"""How many CPUs this process may use, and how many of them torch should take.

Torch sees the machine's cores, not a container's quota, and OpenMP's idle threads spin: four
notebooks on a shared two-core server then slow each other down tenfold. OpenMP reads its settings
once, when torch loads, so the package imports this module first and calls `prepare_threads` before
torch and `limit_torch_threads` after it. If torch was loaded earlier, only the second still helps.

Threads that train belong to `session`; nothing here starts one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path

# A second thread gains this small network about 10 %; there is nothing to gain beyond a few.
MAX_TORCH_THREADS = 4


def prepare_threads(environ: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's idle threads sleep instead of spin, unless the user chose a policy.

    Four trainers on two cores took 303-802 ms a step with spinning threads, 45-60 ms with sleeping
    ones.

    Args:
        environ: Where to look for `OMP_WAIT_POLICY`, and where to set it.
    """
    environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def limit_torch_threads(environ: Mapping[str, str] = os.environ) -> int:
    """Give torch no more threads than this process has CPUs to spare.

    Never raises the number, and changes nothing if the user set `OMP_NUM_THREADS` or
    `MKL_NUM_THREADS`.

    Args:
        environ: Where to look for the user's own settings.

    Returns:
        The number of threads torch now computes with.
    """
    import torch

    if not (environ.get("OMP_NUM_THREADS") or environ.get("MKL_NUM_THREADS")):
        wanted = choose_num_threads(effective_cpu_count(environ=environ))
        if wanted < torch.get_num_threads():
            torch.set_num_threads(wanted)
    return torch.get_num_threads()


def choose_num_threads(cpus: float) -> int:
    """Say how many threads should compute: one CPU is left to the kernel and the browser.

    Args:
        cpus: CPUs this process may use, a quota's fraction included.

    Returns:
        Between 1 and `MAX_TORCH_THREADS`.
    """
    return max(1, min(MAX_TORCH_THREADS, int(cpus) - 1))


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
    """Divide two numbers given as text; whatever cannot be divided is no limit: infinity."""
    try:
        return float(dividend) / float(divisor)
    except (ValueError, ZeroDivisionError):
        return math.inf
