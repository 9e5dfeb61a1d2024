"""What Binder makes of `binder/`: repo2docker's own Dockerfile, and the packages in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
CONDA_NAMES = {"torch": "pytorch-cpu"}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Binder's machines run Linux")


@pytest.fixture(scope="module")
def dockerfile():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what it imports has moved
        from repo2docker.app import Repo2Docker

    before = Path.cwd()
    os.chdir(ROOT)  # repo2docker looks where it stands
    try:
        app = Repo2Docker()
        packs = (make_pack(app.base_image) for make_pack in app.buildpacks)
        pack = next(pack for pack in packs if pack.detect())
        pack.platform = "linux/amd64"
        assert type(pack).__name__ == "CondaBuildPack"
        assert pack.python_version == "3.12"
        return pack.render(build_args={})
    finally:
        os.chdir(before)


def test_the_environment_is_solved_before_the_sources_come(dockerfile):
    """A commit that leaves the environment alone must not download PyTorch again."""
    environment = dockerfile.index("COPY --chown=1000:1000 src/binder/environment.yml")
    solve = dockerfile.index("env update")
    sources = dockerfile.index("COPY --chown=1000:1000 src/ ")
    assert environment < solve < sources < dockerfile.index("binder/postBuild")


def test_both_scripts_run(dockerfile):
    assert re.search(r"^RUN \./binder/postBuild$", dockerfile, re.MULTILINE)
    assert re.search(r'^ENV R2D_ENTRYPOINT="?.*binder/start"?$', dockerfile, re.MULTILINE)
    for name in ("postBuild", "start"):
        assert os.access(BINDER / name, os.X_OK)


def test_without_mnist_the_build_goes_on_and_warns(tmp_path):
    """All runs as in Binder's build, but for pip, which must not touch the environment here."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/bash\necho "$@" > {tmp_path}/installed\n')
    python.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), sysconfig.get_path("scripts"), os.environ["PATH"]])
    environ = {**os.environ, "PATH": path, "MNIST_WIDGETS_DATA": str(tmp_path)}
    build = subprocess.run(
        [BINDER / "postBuild"], env=environ, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "WARNING" in build.stderr
    assert "bundled digits" in build.stderr
    installed = (tmp_path / "installed").read_text().split()
    assert installed[:3] == ["-m", "pip", "install"]
    assert installed[-3:] == ["--no-deps", "-e", "."]


def test_start_sets_one_quiet_thread_and_becomes_what_it_is_given():
    printed = subprocess.run(
        [BINDER / "start", "printenv", "OMP_NUM_THREADS", "OMP_WAIT_POLICY"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == ["1", "PASSIVE"]


def test_each_launch_link_opens_what_is_here():
    page = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    links = re.findall(r"https://mybinder\.org/v2/gh/([^)]*?)/HEAD\?urlpath=([^)]*)", page)
    repositories, paths = zip(*links, strict=True)
    assert len(set(repositories)) == 1
    front_ends, notebooks = zip(*(path.partition("notebooks/")[::2] for path in paths), strict=True)
    assert sorted(front_ends) == ["lab", "lab/tree/", "voila/render/"]
    assert all((ROOT / "notebooks" / name).is_file() for name in notebooks if name)


def test_no_local_path_is_in_the_environment():
    for requirement in _environment():
        assert isinstance(requirement, str)  # no `pip:` section
        assert "/" not in requirement
        assert not requirement.startswith(".")


def test_the_environment_holds_all_requirements_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    given = dict(map(_split, _environment()))
    for requirement in map(Requirement, required):
        name = CONDA_NAMES.get(requirement.name, requirement.name)
        assert name in given, f"binder/environment.yml lacks {name}"
        if name != "ipykernel":
            assert given[name] == requirement.specifier, name
    versions = ("6.31.0", "7.0.1")  # what Binder's base image or an older lock file would bring
    assert not any(given["ipykernel"].contains(version) for version in versions)
    assert given["ipykernel"].contains("7.1.0")


def _environment() -> list[str]:
    return yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))["dependencies"]


def _split(requirement: str) -> tuple[str, SpecifierSet]:
    name, specifiers = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
    return name, SpecifierSet(re.sub(r"^=(?!=)", "==", specifiers))
