"""A page like a notebook's outputs in VS Code, drawn by VS Code's own widget renderer.

The renderer, the bundles in the environment, and the kernel are real. The page imitates the rest
of VS Code as far as widgets notice it: RequireJS, a dark theme, and white behind the widgets.
Sources: https://github.com/microsoft/vscode-jupyter, src/webviews/webview-side/ipywidgets, and
https://github.com/microsoft/vscode, src/vs/workbench/contrib/webview/browser/pre/index.html.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lab import LabServer
from playwright.sync_api import Page, Route
from watched_page import WatchedPage

NBEXTENSIONS = Path(sys.prefix) / "share" / "jupyter" / "nbextensions"

# JupyterLab, whose connection to the kernel the page uses, and the renderer both contain Yjs.
KNOWN_ERROR = "console error: Yjs was already imported."


class RendererPage(WatchedPage):
    """A page that shows the widgets of cells, but not the cells.

    Args:
        page: a new page; the caller closes it.
        server: a running JupyterLab; the page uses its connection to a kernel.
        screenshots: the folder for `screenshot`.
    """

    def __init__(self, page: Page, server: LabServer, screenshots: Path) -> None:
        super().__init__(page, server.address, screenshots)
        self._server = server

    def open(self, packages: Path) -> None:
        """Load the renderer from the npm packages in a folder, and start a kernel."""
        self.page.route("**/from-npm/**", lambda route: _fulfill(route, packages))
        self.page.route("**/nbextensions/**", lambda route: _fulfill(route, NBEXTENSIONS))
        self.page.goto(f"{self._server.address}/lab?reset&token={self._server.token}")
        self.page.wait_for_function("window.jupyterapp?.restored")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")
        self.page.evaluate(START_KERNEL)
        self.page.evaluate(CLEAR_PAGE)
        self.page.add_style_tag(content=DARK_THEME)
        self.page.add_script_tag(url="/from-npm/requirejs/require.js")
        self.page.evaluate(LOAD_RENDERER)

    def run_cell(self, code: str) -> None:
        """Run code and draw the widgets that it shows.

        Raises:
            AssertionError: if the code fails; the message holds its traceback.
        """
        error = self.page.evaluate(RUN_CELL, code)
        if error is not None:
            raise AssertionError(error)

    def _add_problem(self, problem: str) -> None:
        if not problem.startswith(KNOWN_ERROR):
            super()._add_problem(problem)


def _fulfill(route: Route, folder: Path) -> None:
    """Respond with a file of the folder; its path is the URL's after the first two parts."""
    name = route.request.url.partition("?")[0].split("/", 4)[4]
    route.fulfill(path=folder / name, content_type="text/javascript")


START_KERNEL = """async () => {
    window.kernel = await window.jupyterapp.serviceManager.kernels.startNew({name: 'python3'});
}"""

# Remove all of JupyterLab but its connection to the kernel.
CLEAR_PAGE = """() => {
    document.head.replaceChildren();
    document.body.replaceChildren();
    for (const element of [document.documentElement, document.body])
        for (const {name} of [...element.attributes]) element.removeAttribute(name);
    document.body.className = 'vscode-dark';
}"""

# VS Code's Dark Modern; the renderer paints white behind widgets whatever the theme.
DARK_THEME = """
:root {
    --vscode-editor-foreground: #cccccc;
    --vscode-editor-background: #1f1f1f;
}
body {
    margin: 0;
    padding: 0 20px;
    color: var(--vscode-editor-foreground);
    background: var(--vscode-editor-background);
    font: 13px system-ui, sans-serif;
}
.cell-output-ipywidget-background { background: white !important; }
"""

LOAD_RENDERER = """async () => {
    (await import('/from-npm/ipywidgets8/dist/ipywidgets.js')).activate();
    window.vscIPyWidgets8.load();
    const scriptLoader = {
        widgetsRegisteredInRequireJs: new Set(),
        async loadWidgetScript(name) {
            requirejs.config({paths: {[name]: `/nbextensions/${name}/index`}});
            this.widgetsRegisteredInRequireJs.add(name);
        },
        successHandler() {},
        errorHandler: (...parts) => console.error('not loaded:', ...parts),
    };
    window.manager = new window.vscIPyWidgets.WidgetManager(
        window.kernel, document.body, scriptLoader, () => {}
    );
}"""

RUN_CELL = """async code => {
    const execution = window.kernel.requestExecute({code});
    const shown = [];
    let error = null;
    execution.onIOPub = ({header, content}) => {
        if (header.msg_type === 'error') error = content.traceback.join('\\n');
        const widget = content.data?.['application/vnd.jupyter.widget-view+json'];
        if (widget) shown.push(widget);
    };
    await execution.done;
    for (const data of shown) {
        const node = document.createElement('div');
        node.className = 'cell-output-ipywidget-background';
        document.body.append(node);
        const model = await window.manager.get_model(data.model_id);
        const view = await window.manager.create_view(model, {el: node});
        await window.manager.display_view(data, view, {node});
    }
    return error;
}"""
