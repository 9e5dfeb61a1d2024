"""What VS Code and Codespaces go by: the widgets' bundles in the environment, and our settings."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest
from ipywidgets import Widget

from mnist_widgets import load_bundled_digits
from mnist_widgets.diagnosis.front_end_parts import find_front_end_part
from mnist_widgets.widgets import dashboard

ROOT = Path(__file__).parents[1]
SHARED = Path(sys.prefix) / "share" / "jupyter"
BUILT_IN = {"@jupyter-widgets/base", "@jupyter-widgets/controls", "@jupyter-widgets/output"}

# The part of https://containers.dev/implementors/json_schema that we use, without the rest.
SIZE = {"type": "string", "pattern": r"^\d+([tgmk]b)?$"}
CONTAINER = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "image": {"type": "string", "pattern": r"^[\w./-]+:[\w.-]+$"},
        "hostRequirements": {
            "type": "object",
            "properties": {"cpus": {"type": "integer"}, "memory": SIZE, "storage": SIZE},
            "additionalProperties": False,
        },
        "containerEnv": {"type": "object", "additionalProperties": {"type": "string"}},
        "postCreateCommand": {"type": "string"},
        "customizations": {"type": "object"},
    },
    "required": ["image"],
    "additionalProperties": False,
}


def find_modules() -> dict[str, Path]:
    """Find the scripts of widgets as VS Code's Jupyter extension does.

    It reads, in the kernel's environment, each `nbextensions/*/extension.js` up to the first
    closing bracket after `config({`, and takes the pairs between the innermost braces.
    """
    found = {}
    for entry in (SHARED / "nbextensions").glob("*/extension.js"):
        config = re.search(r"config\(\{(.*?)\)", entry.read_text(encoding="utf-8"), re.DOTALL)
        if config is None:
            continue
        pairs = config[1].rpartition("{")[2].partition("}")[0]
        for name, _, path in (pair.partition(":") for pair in pairs.split(",")):
            if path:
                found[name.strip(" \r\n'\"")] = SHARED / (path.strip(" \r\n'\"") + ".js")
    return found


def list_modules(widget: Widget, seen: set[Widget]) -> set[str]:
    """Name the front-end modules of a widget and of all that hang on it."""
    seen.add(widget)
    modules = {widget._model_module, widget._view_module}
    for name in widget.keys:
        value = getattr(widget, name)
        held = value.values() if isinstance(value, dict) else [value]
        if isinstance(value, (list, tuple)):
            held = value
        for other in held:
            if isinstance(other, Widget) and other not in seen:
                modules |= list_modules(other, seen)
    return modules - {None}


@pytest.fixture(scope="module")
def needed():
    lab = dashboard(data=load_bundled_digits())
    yield list_modules(lab, set()) - BUILT_IN
    lab.close()


def test_each_bundle_that_the_lab_needs_is_found(needed):
    assert needed == {"bqplot", "bqscales", "anywidget"}
    found = find_modules()
    for name in needed:
        script = found[name].read_text(encoding="utf-8")
        assert 'define(["@jupyter-widgets/base"]' in script, name  # for RequireJS


@pytest.mark.parametrize("name", ["bqplot", "bqscales"])  # anywidget's does not say
def test_each_bundle_is_as_new_as_jupyterlabs(name):
    script = find_modules()[name].read_text(encoding="utf-8")
    versions = re.findall(r"""["']?version["']?:\s*["']([\d.]+)["']""", script)
    assert find_front_end_part(name, [SHARED / "labextensions"]).version in versions


def test_the_container_is_described_as_its_schema_demands():
    container = read(".devcontainer/devcontainer.json")
    jsonschema.validate(container, CONTAINER)
    lesson = container["customizations"]["codespaces"]["openFiles"][0]
    assert (ROOT / lesson).is_file()


def test_container_and_workspace_recommend_the_same_extensions():
    recommended = read(".vscode/extensions.json")["recommendations"]
    container = read(".devcontainer/devcontainer.json")
    assert container["customizations"]["vscode"]["extensions"] == recommended
    assert "ms-toolsai.jupyter" in recommended


def test_the_workspace_takes_nothing_from_the_container():
    """What the workspace sets beats what the container sets, and VS Code finds `.venv` itself."""
    container = read(".devcontainer/devcontainer.json")["customizations"]["vscode"]["settings"]
    assert not container.keys() & read(".vscode/settings.json").keys()
    assert "python.defaultInterpreterPath" in container


def read(path: str) -> dict:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))
