"""The lab drawn by VS Code's own widget renderer; `make vscode` runs this, `make test` does not.

npm downloads to a temporary folder: the renderer, and RequireJS, with which VS Code loads the
widgets' bundles.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import pytest
from layout import find_lasting_faults, set_window_size
from playwright.sync_api import expect
from watched_page import start_training_and_pick_an_image

pytestmark = pytest.mark.vscode

PACKAGES = {"ipywidgets8": "@vscode/jupyter-ipywidgets8@1.0.9", "requirejs": "requirejs@2.3.8"}
CELL = """
from mnist_widgets import load_bundled_digits
from mnist_widgets.widgets import dashboard
dashboard(data=load_bundled_digits())
"""
# Each visible text, with the contrast of its colour to its background, as WCAG 2 defines it.
CONTRASTS = """() => {
    const parse = colour => (colour.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(v => v / 255).map(
            v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = parse(getComputedStyle(e).backgroundColor);
            if (colour[3] !== 0) return colour;
        }
    };
    const contrasts = [];
    const elements = [...document.querySelectorAll('.mw-dashboard *')];
    for (const element of elements.filter(e => e.checkVisibility({visibilityProperty: true}))) {
        const words = element.value ?? [...element.childNodes]
            .filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data).join('');
        if (!String(words).trim() || element.disabled || element.tagName === 'STYLE') continue;
        const style = getComputedStyle(element);
        const colour = parse(element instanceof SVGElement ? style.fill : style.color);
        const pair = [luminance(colour), luminance(behind(element))].sort((a, b) => b - a);
        contrasts.push([String(words).trim(), (pair[0] + 0.05) / (pair[1] + 0.05)]);
    }
    return contrasts;
}"""


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    npm = shutil.which("npm")
    assert npm is not None, "make vscode needs npm, which comes with Node.js"
    folder = tmp_path_factory.mktemp("from-npm")
    for name, package in PACKAGES.items():
        packed = subprocess.run(
            [npm, "pack", "--silent", package],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=120,
        )
        with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
            archive.extractall(folder, filter="data")
        (folder / "package").rename(folder / name)
    return folder


@pytest.fixture
def page(packages, renderer):
    renderer.open(packages)
    renderer.run_cell(CELL)
    expect(renderer.page.locator(".mw-probability-chart .mw-caption")).to_contain_text(
        "The network says"
    )
    return renderer.page


def test_the_lab_trains_shows_a_clicked_image_and_is_legible(renderer, page):
    start_training_and_pick_an_image(page, 12)
    state = page.locator(".mw-training-panel .mw-state")
    expect(page.locator(".mw-probability-chart .mw-caption")).to_contain_text("True 9.")
    expect(state).to_have_text("Training")
    page.locator(".mw-training-panel .mw-stop").click()
    expect(state).to_have_text("Stopped")
    set_window_size(page, 1440, 900)
    assert not (faults := find_lasting_faults(page, ".mw-dashboard")), faults
    renderer.screenshot("vscode-stopped")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    # WCAG requires 4.5; Start has ipywidgets' own colours
    assert {words for words, contrast in contrasts if contrast < 4.5} <= {"Start"}
    assert min(contrast for _, contrast in contrasts) > 2.5
