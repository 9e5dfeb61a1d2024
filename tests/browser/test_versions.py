"""Page and kernel load packages of the same versions; `make matrix` runs this first."""

from __future__ import annotations

import json
from importlib.metadata import version

# The extensions that the server announces, with the versions of the files that the page loads.
LOADED = """async () => {
    const config = JSON.parse(document.getElementById('jupyter-config-data').textContent);
    const entries = config.federated_extensions.map(async ({name}) => {
        const answer = await fetch(`${config.fullLabextensionsUrl}/${name}/package.json`);
        return [name, (await answer.json()).version];
    });
    return Object.fromEntries(await Promise.all(entries));
}"""
IMPORTED = """
import json, anywidget, bqplot, ipykernel, ipywidgets
print(json.dumps({m.__name__: m.__version__ for m in (anywidget, bqplot, ipykernel, ipywidgets)}))
"""
MISFITS = """
import json
from mnist_widgets.diagnosis.front_end_parts import FRONT_END_PARTS, FrontEndPart, find_misfit
misfits = {{name: find_misfit(FrontEndPart(name, {loaded}[name], "")) for name in FRONT_END_PARTS}}
print(json.dumps(misfits))
"""


def test_page_kernel_and_tests_use_the_same_packages(lab):
    lab.open_notebook(["1 + 1"])
    imported = json.loads(lab.run_cell(IMPORTED))
    assert imported == {name: version(name) for name in imported}
    misfits = json.loads(lab.run_cell(MISFITS.format(loaded=lab.page.evaluate(LOADED))))
    assert len(misfits) == 4
    assert not any(misfits.values()), misfits


def test_the_kernel_knows_which_server_started_it(lab):
    lab.open_notebook(["1 + 1"])
    words = lab.run_cell("print(__import__('mnist_widgets').doctor())")
    assert "JupyterLab's server" in words
    assert words.strip().endswith("Everything is OK: the lessons will run.")
