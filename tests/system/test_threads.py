"""The CPU quota is read from a made-up file tree; threads are set in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_widgets.system import threads

NO_LIMIT = threads.effective_cpu_count(Path("/nowhere"), environ={})


def make_files(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def run_python(code: str, **environ: str) -> str:
    ours = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CPU_LIMIT"}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux has affinities")
def test_without_a_quota_the_affinity_counts():
    assert len(os.sched_getaffinity(0)) == NO_LIMIT


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        pytest.param({"pod/box/cpu.max": "50000 100000\n"}, 0.5, id="own group"),
        pytest.param({"cpu.max": "25000 100000\n"}, 0.25, id="only the mount, as in a container"),
        pytest.param(
            {"pod/cpu.max": "30000 100000\n", "pod/box/cpu.max": "60000 100000\n"},
            0.3,
            id="the parent is tighter",
        ),
        pytest.param(
            {"pod/cpu.max": "90000 100000\n", "pod/box/cpu.max": "60000 100000\n"},
            0.6,
            id="the parent is looser",
        ),
        pytest.param({"pod/box/cpu.max": "max 100000\n"}, NO_LIMIT, id="max"),
        pytest.param({"pod/box/cpu.max": "nonsense\n"}, NO_LIMIT, id="malformed"),
        pytest.param({"pod/box/cpu.max": ""}, NO_LIMIT, id="empty"),
        pytest.param({"pod/box/cpu.max": "50000 0\n"}, NO_LIMIT, id="a period of zero"),
        pytest.param({"elsewhere/cpu.max": "50000 100000\n"}, NO_LIMIT, id="another group's"),
    ],
)
def test_a_version_2_quota_counts(tmp_path, quotas, expected):
    make_files(tmp_path, {"proc/self/cgroup": "0::/pod/box\n"})
    make_files(tmp_path / "sys/fs/cgroup", quotas)
    assert threads.effective_cpu_count(tmp_path, environ={}) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("folder", "quota_us", "expected"),
    [
        ("cpu,cpuacct/docker/box", "50000\n", 0.5),
        ("cpu/docker/box", "50000\n", 0.5),
        ("cpu,cpuacct/docker", "70000\n", 0.7),
        ("cpu,cpuacct", "40000\n", 0.4),
        ("cpu,cpuacct/docker/box", "-1\n", NO_LIMIT),
        ("memory/docker/box", "50000\n", NO_LIMIT),
    ],
)
def test_a_version_1_quota_counts(tmp_path, folder, quota_us, expected):
    lines = "5:memory:/docker/box\n4:cpu,cpuacct:/docker/box\n1:name=systemd:/docker/box\n"
    make_files(tmp_path, {"proc/self/cgroup": lines})
    make_files(
        tmp_path / "sys/fs/cgroup" / folder,
        {"cpu.cfs_quota_us": quota_us, "cpu.cfs_period_us": "100000\n"},
    )
    assert threads.effective_cpu_count(tmp_path, environ={}) == pytest.approx(expected)


@pytest.mark.parametrize("line", ["", "nonsense", "0::", "0::/../../outside", ":::", "\x00"])
def test_a_strange_cgroup_file_is_no_limit(tmp_path, line):
    make_files(tmp_path, {"proc/self/cgroup": line, "sys/fs/cgroup/cpu/other": ""})
    assert threads.effective_cpu_count(tmp_path, environ={}) == NO_LIMIT


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("0.5", 0.5), ("1e6", NO_LIMIT)]
    + [(malformed, NO_LIMIT) for malformed in ("", "two", "0", "-1", "nan", "inf")],
)
def test_cpu_limit_counts_if_it_is_a_positive_number(tmp_path, limit, expected):
    assert threads.effective_cpu_count(tmp_path, environ={"CPU_LIMIT": limit}) == expected


def test_torch_uses_all_cpus_up_to_four_and_one_fewer_where_it_was_imported_first():
    for cpus, expected in [(0.5, 1), (1, 1), (1.9, 1), (2, 2), (2.5, 2), (3, 3), (4, 4), (64, 4)]:
        assert threads.choose_num_threads(cpus) == expected, cpus
    for cpus, expected in [(0.5, 1), (1, 1), (2, 1), (2.5, 1), (3, 2), (4, 3), (5, 4), (64, 4)]:
        assert threads.choose_num_threads(cpus, is_torch_first=True) == expected, cpus


@pytest.mark.parametrize(
    ("chosen", "prepared"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}),
        ({"GOMP_SPINCOUNT": "5"}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "5"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),  # a count would undo it
        ({"OMP_WAIT_POLICY": "passive"}, {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}),
    ],
)
def test_idle_threads_soon_sleep_unless_the_user_chose_otherwise(chosen, prepared):
    environ = dict(chosen)
    threads.prepare_threads(environ)
    assert environ == prepared


def test_runtime_does_not_load_torch():
    path = threads.__file__
    code = f"import runpy, sys; runpy.run_path({path!r}); print('torch' in sys.modules)"
    assert run_python(code).strip() == "False"


SHOW_THREADS = (
    "import os, mnist_widgets, torch\nfrom mnist_widgets.diagnosis.doctor import check_threads\n"
    "print(os.environ.get('OMP_WAIT_POLICY'), os.environ.get('GOMP_SPINCOUNT'),"
    " torch.get_num_threads(), check_threads().message)"
)
NUM_CPUS = int(NO_LIMIT)


def test_importing_the_package_prepares_openmp_and_gives_torch_all_cpus():
    policy, count, num_threads, words = run_python(SHOW_THREADS).split(" ", 3)
    assert (policy, count, int(num_threads)) == ("PASSIVE", "1000", min(NUM_CPUS, 4))
    assert "idle threads sleep" in words
    assert run_python(SHOW_THREADS, CPU_LIMIT="1").split()[2] == "1"


def test_where_torch_was_imported_first_one_cpu_is_left_free_and_the_doctor_says_why():
    *_, num_threads, words = run_python(f"import torch\n{SHOW_THREADS}").split(" ", 3)
    assert int(num_threads) == max(1, min(NUM_CPUS - 1, 4))
    assert "import mnist_widgets before it" in words


def test_the_threads_that_the_user_gave_torch_before_are_not_raised():
    code = f"import torch; torch.set_num_threads(1)\n{SHOW_THREADS}"
    assert run_python(code).split()[2] == "1"


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_users_number_of_threads_stays(variable):
    code = (
        "import torch; torch.set_num_threads(3)\n"
        "from mnist_widgets.system import threads; print(threads.set_torch_threads())"
    )
    assert run_python(code, CPU_LIMIT="1", **{variable: "3"}).strip() == "3"
    assert run_python(SHOW_THREADS, **{variable: "1"}).split()[2] == "1"
