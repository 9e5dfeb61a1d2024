"""Run the quick browser tests with old and new kernels and charts, in all combinations.

    make matrix

Each combination gets a virtual environment with only the packages that differ. Everything else,
above all PyTorch, comes from the environment that runs this script. Before the tests, each
environment reports the versions that it imports and the bundle that its pages would load, and
fails if they are wrong. The packages come from the package index.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "build" / "matrix"
KERNELS = ("ipykernel==6.29.5", "ipykernel>=7.1")
CHARTS = ("bqplot==0.12.47", "bqplot>=0.13,<0.14")
TESTS = (
    "tests/browser/test_versions.py::test_page_kernel_and_tests_use_the_same_packages",
    "tests/browser/test_lesson.py::test_the_buttons_steer_a_training_that_runs",
)
# From outer to inner folders: a folder that is linked whole needs no links inside.
JUPYTERS_OWN = (
    *("etc/jupyter", "etc/jupyter/*"),
    *("share/jupyter", "share/jupyter/*", "share/jupyter/*/*"),
    "share/jupyter/labextensions/@*/*",
)
# Each environment's Python runs this before it loads anything else.
LOOK = """
import json, bqplot, ipykernel
from importlib.metadata import version
from mnist_widgets.diagnosis.front_end_parts import find_front_end_part, find_misfit
part = find_front_end_part("bqplot")
print(json.dumps({
    "ipykernel": [ipykernel.__version__, version("ipykernel"), ipykernel.__file__],
    "bqplot": [bqplot.__version__, version("bqplot"), bqplot.__file__],
    "bundle": [part.version, find_misfit(part), str(part.folder.resolve())],
}))
"""


def main() -> int:
    """Run all combinations, print one line for each, and return the exit status."""
    began = time.monotonic()
    results = []
    for combination in itertools.product(KERNELS, CHARTS):
        print(f"== {' and '.join(combination)}", flush=True)
        started = time.monotonic()
        has_passed = run(combination)
        results.append((combination, has_passed, time.monotonic() - started))
    print("== Matrix")
    for combination, has_passed, seconds in results:
        verdict = "passed" if has_passed else "FAILED"
        print(f"{verdict}  {' '.join(combination):45} {seconds:4.0f} s")
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if all(has_passed for _, has_passed, _ in results) else 1


def run(combination: Sequence[str]) -> bool:
    """Make the environment of one combination, check its versions, and run the tests in it."""
    name = "-".join("".join(c if c.isalnum() or c == "." else "-" for c in r) for r in combination)
    try:
        python = make_environment(ENVIRONMENTS / name, combination)
        faults = find_faults(python, combination)
    except subprocess.CalledProcessError as error:
        faults = [str(error)]
    if faults:
        print("\n".join(faults))
        return False
    environ = {
        **os.environ,
        "MNIST_WIDGETS_REQUIRE_BROWSER": "1",
    }  # fail, do not skip
    tests = [python, "-m", "pytest", "--quiet", *TESTS]
    return not subprocess.run(tests, env=environ, cwd=ROOT, check=False).returncode  # noqa: S603 - fixed command


def make_environment(folder: Path, requirements: Sequence[str]) -> Path:
    """Make a virtual environment on top of this one, with the newest matching packages.

    Args:
        folder: of the environment; its contents are replaced.
        requirements: of the packages to install in it.

    Returns:
        Its Python.
    """
    venv.create(folder, clear=True, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    below = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    # site runs lines that import, so the .pth files of the lower environment work too
    (folder / "lib" / version / "site-packages" / "below.pth").write_text(below)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--upgrade", *requirements], check=True)  # noqa: S603 - fixed command
    link_missing(folder, Path(sys.prefix))
    return python


def link_missing(upper: Path, lower: Path) -> None:
    """Link the files that only the lower environment has, because Jupyter reads only one.

    A bundle or a kernel is linked as a whole or not at all, never mixed from two versions.
    """
    for pattern in JUPYTERS_OWN:
        for entry in lower.glob(pattern):
            own = upper / entry.relative_to(lower)
            if not own.exists():
                own.parent.mkdir(parents=True, exist_ok=True)
                own.symlink_to(entry)


def find_faults(python: Path, requirements: Sequence[str]) -> list[str]:
    """Print the versions that an environment imports; return what does not match."""
    environ = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
    answer = subprocess.run(  # noqa: S603 - fixed command
        [python, "-c", LOOK], env=environ, cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    seen = json.loads(answer.stdout)
    faults = []
    for requirement in map(Requirement, requirements):
        imported, installed, path = seen[requirement.name]
        print(f"{requirement.name} {imported} from {Path(path).parent}")
        if imported != installed or not requirement.specifier.contains(imported):
            faults.append(f"asked for {requirement}, imported {imported}, installed {installed}")
    bundle, misfit, folder = seen["bundle"]
    print(f"bqplot's bundle {bundle} from {folder}", flush=True)
    return [*faults, f"the bundle {bundle} does not match {misfit}"] if misfit else faults


if __name__ == "__main__":
    sys.exit(main())
