"""Environments over environments, as `make matrix` lays them; the tests in them need a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from run_matrix import link_missing

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a matrix is made of symbolic links")


@pytest.fixture
def environments(tmp_path):
    """Two environments, each with a bundle of the same name; the lower has more."""
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    files = {
        "upper/share/jupyter/labextensions/charts/package.json": "new",
        "lower/share/jupyter/labextensions/charts/package.json": "old",
        "lower/share/jupyter/labextensions/charts/rest.js": "old",
        "lower/share/jupyter/labextensions/@scope/manager/package.json": "manager",
        "lower/share/jupyter/lab/static/index.html": "page",
        "lower/etc/jupyter/jupyter_server_config.d/lab.json": "settings",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    link_missing(upper, lower)
    return upper, lower


def test_a_bundle_of_its_own_is_never_mixed_with_another_version(environments):
    bundle = environments[0] / "share/jupyter/labextensions/charts"
    assert [path.name for path in bundle.iterdir()] == ["package.json"]
    assert (bundle / "package.json").read_text() == "new"


def test_what_it_lacks_is_found_in_the_environment_below(environments):
    upper, lower = environments
    missing = [path.relative_to(lower) for path in lower.rglob("*.*") if path.is_file()]
    own = Path("share/jupyter/labextensions/charts")
    for path in (path for path in missing if path.parent != own):
        assert (upper / path).read_text() == (lower / path).read_text()
    assert len(missing) == 5
