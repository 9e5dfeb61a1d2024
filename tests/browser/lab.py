"""A real JupyterLab for tests: `LabServer` runs its server, `Lab` controls its page.

Notebook 7 is built from JupyterLab's parts, and the same classes run and control it. Only
`MNIST_WIDGETS_DATA` and `CLOSE_ALL` depend on mnist_widgets.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import nbformat
from playwright.sync_api import Page
from watched_page import WatchedPage

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20

# A proxy that refuses connections: a request to another machine fails within milliseconds.
DEAD_PROXY = "http://127.0.0.1:9"

SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # Lay out all cells, also those out of view, so that tests find them.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}

FrontEnd = Literal["lab", "notebook"]
PATHS: dict[FrontEnd, str] = {"lab": "doc/tree", "notebook": "notebooks"}

# Page errors that a front end throws once each, whatever the notebook.
KNOWN_ERRORS: dict[FrontEnd, list[str]] = {
    "lab": [],
    "notebook": ["Cannot read properties of undefined (reading 'schema')"],
}


class LabServer:
    """A JupyterLab server of this environment that keeps all its files in one folder.

    The folder holds home, settings, notebooks and log. The kernels inherit the server's
    environment: `MNIST_WIDGETS_DATA` names an empty folder and no proxy works, so `load_digits()`
    falls back to the bundled digits at once.

    Args:
        folder: for all files; it need not exist.
        front_end: the front end to open. A server shows only one: pages of Notebook 7 throw errors
            if JupyterLab has left its state on the same server.
    """

    def __init__(self, folder: Path, front_end: FrontEnd = "lab") -> None:
        self.front_end = front_end
        self.notebooks = folder / "notebooks"
        self.address = f"http://127.0.0.1:{_free_port()}"
        self.token = secrets.token_hex(16)
        self._folder = folder
        self._log = folder / "server.log"
        self._cleared_size = 0  # of the log, in bytes
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            RuntimeError: if it ends, or does not answer in time; the message holds its log.
        """
        overrides = self._folder / "config" / "labconfig" / "default_setting_overrides.json"
        for folder in (self.notebooks, overrides.parent, self._folder / "no-data"):
            folder.mkdir(parents=True)
        overrides.write_text(json.dumps(SETTINGS))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(), env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"JupyterLab did not start. Its log:\n{self.log()}")
            time.sleep(0.1)  # there is no event to wait for before the server listens

    def stop(self) -> None:
        """Stop the server with its kernels; kill it after `STOP_TIMEOUT_S`."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def clear(self) -> None:
        """Shut down all kernels; delete notebooks, workspaces and settings; skip the old log."""
        self.shut_kernels_down()
        for name in ("settings", "workspaces", "notebooks"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        self.notebooks.mkdir()
        self._cleared_size = self._log.stat().st_size

    def shut_kernels_down(self) -> None:
        """Shut down all kernels."""
        for session in json.loads(self.request("GET", "api/sessions")):
            self.request("DELETE", f"api/sessions/{session['id']}")
        for kernel in json.loads(self.request("GET", "api/kernels")):  # those of Voila's pages
            self.request("DELETE", f"api/kernels/{kernel['id']}")

    def request(self, method: str, path: str) -> str:
        """Send a request to the server's REST API and return the body of the response."""
        request = urllib.request.Request(
            f"{self.address}/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with without_proxy.open(request, timeout=STOP_TIMEOUT_S) as answer:
            return answer.read().decode()

    def log(self) -> str:
        """Return what the server and its kernels wrote to the terminal since the last `clear`."""
        return self._log.read_bytes()[self._cleared_size :].decode(errors="replace")

    def _answers(self) -> bool:
        try:
            self.request("GET", "api/status")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def _command(self) -> list[str]:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        return [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"),
            *(["--allow-root"] if is_root else []),
            "--JupyterNotebookApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.address.rpartition(':')[2]}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.notebooks}",
        ]

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(("JUPYTER", "IPYTHON"))
        }
        folders = {
            "HOME": "home",
            "USERPROFILE": "home",
            "IPYTHONDIR": "ipython",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "MNIST_WIDGETS_DATA": "no-data",
        }
        proxies = dict.fromkeys(["http_proxy", "https_proxy", "all_proxy"], DEAD_PROXY)
        proxies["no_proxy"] = "127.0.0.1,localhost"
        return {
            **inherited,
            **{variable: str(self._folder / name) for variable, name in folders.items()},
            **proxies,
            **{name.upper(): value for name, value in proxies.items()},
            "JUPYTER_TOKEN": self.token,
        }


class Lab(WatchedPage):
    """A page of the server's front end with a notebook in it.

    The first notebook loads the page and starts a kernel, which takes seconds. The next ones take
    its place in the same page and run in the same kernel, after `clean_up` has cleared both.

    An error in a kernel's message handler is a problem too.

    Args:
        page: a new page; the caller closes it.
        server: a running server.
        screenshots: the folder for `screenshot`.
    """

    def __init__(self, page: Page, server: LabServer, screenshots: Path) -> None:
        super().__init__(page, server.address, screenshots, KNOWN_ERRORS[server.front_end])
        self.front_end = server.front_end
        self._server = server
        self._has_kernel = False

    def open_notebook(self, source: Path | Iterable[str]) -> None:
        """Show a copy of a notebook, or a new one with these code cells; wait for its kernel."""
        if isinstance(source, Path):
            notebook = nbformat.read(source, as_version=4)
        else:
            notebook = _notebook_of(source)
        if self._has_kernel:
            self.page.evaluate(REPLACE_NOTEBOOK, notebook)
        else:
            self.load_notebook(notebook)

    def load_notebook(self, notebook: nbformat.NotebookNode) -> None:
        """Write a notebook to the server's folder and load it with a new kernel."""
        nbformat.write(notebook, self._server.notebooks / "notebook.ipynb")
        self._go_to("notebook.ipynb")

    def clean_up(self) -> None:
        """Remove what a test leaves: widgets, trainings and names in the kernel, cells, theme."""
        if self._has_kernel:
            self.open_notebook([""])
            self.run_cell(CLOSE_ALL)
            self.set_theme(dark=False)
        super().clean_up()

    def save(self) -> nbformat.NotebookNode:
        """Save the notebook and return the saved file."""
        name = self.page.evaluate(SAVE)
        return nbformat.read(self._server.notebooks / name, as_version=4)

    def reopen(self) -> None:
        """Open the saved notebook with a new kernel."""
        name = self.page.evaluate(NAME_OF_NOTEBOOK)
        self._go_to(name)

    def run_all(self, timeout_s: float = 120) -> None:
        """Run all cells and wait for the last.

        Raises:
            AssertionError: if a cell fails; the message holds its traceback.
        """
        self.start_all()
        self.wait_for_all(timeout_s)

    def start_all(self) -> None:
        """Start to run all cells and return at once, to click while a cell still runs."""
        self.page.evaluate(START_ALL)

    def wait_for_all(self, timeout_s: float = 120) -> None:
        """Wait for the last cell of `start_all`; raise AssertionError if one fails."""
        succeeded = self.page.evaluate(WAIT_FOR_ALL, timeout_s)
        if not succeeded:
            raise AssertionError("a cell failed:\n" + self.page.evaluate(CELL_ERRORS))
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until the kernel runs no cell; a training thread may still run."""
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
            " === 'idle'"
        )

    def run_cell(self, code: str) -> str:
        """Run code in the kernel, without a cell; return its output and its value.

        It waits for running cells, but not for other threads.

        Raises:
            AssertionError: if the code fails; the message holds its traceback.
        """
        reply = self.page.evaluate(RUN_CODE, code)
        if reply["error"] is not None:
            raise AssertionError(reply["error"])
        return reply["text"]

    def expect_in_kernel(self, expression: str, text: str) -> None:
        """Wait until `print` writes an expression as this text.

        The page sends a widget's next change only when the kernel has answered the one before.

        Raises:
            AssertionError: if the text is still another one after several messages.
        """
        for _ in range(20):
            if (found := self.run_cell(f"print({expression})").strip()) == text:
                return
        raise AssertionError(f"{expression} is {found}, not {text}")

    def set_theme(self, dark: bool) -> None:
        """Show JupyterLab's dark or light theme."""
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        self.page.wait_for_function(
            "theme => document.body.dataset.jpThemeName === theme", arg=theme
        )
        self._wait_for_the_curtain()

    def _go_to(self, name: str) -> None:
        self.page.goto("about:blank")
        self._server.shut_kernels_down()
        path = f"{PATHS[self.front_end]}/{quote(name)}"
        self.page.goto(f"{self._server.address}/{path}?reset&token={self._server.token}")
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext")
        self.page.evaluate(REPORT_HANDLER_ERRORS)
        self.wait_until_idle()
        self._wait_for_the_curtain()
        self._has_kernel = True

    def _wait_for_the_curtain(self) -> None:
        """Wait until the start screen is gone; JupyterLab also shows it while the theme changes."""
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")


# Runs in the kernel before the next notebook.
CLOSE_ALL = """
import gc, sys
if kit := sys.modules.get("mnist_widgets"):
    for session in [o for o in gc.get_objects() if type(o) is kit.TrainingSession]:
        session.close()
if ipywidgets := sys.modules.get("ipywidgets"):
    ipywidgets.Widget.close_all()
if drawing_set := sys.modules.get("mnist_widgets.widgets.parts.drawing.drawing_set"):
    drawing_set.kept_sets.clear()
get_ipython().run_line_magic("reset", "-f")
"""

# Keep the document, with its kernel and its widget manager.
REPLACE_NOTEBOOK = """notebook => {
    const {content} = window.jupyterapp.shell.currentWidget;
    content.model.fromJSON(notebook);
    content.mode = 'command';
    content.activeCellIndex = 0;
    content.node.scrollTop = 0;
    document.activeElement?.blur();
}"""

# JupyterLab drops the error message of a handler that runs outside of a cell.
REPORT_HANDLER_ERRORS = """() => {
    const context = window.jupyterapp.shell.currentWidget.sessionContext;
    context.iopubMessage.connect((_, {header, parent_header, content}) => {
        if (header.msg_type === 'error' && parent_header.msg_type !== 'execute_request') {
            const traceback = content.traceback.join('\\n');
            console.error(`in a handler of ${parent_header.msg_type}: ${traceback}`);
        }
    });
}"""

START_ALL = """() => {
    window.allCells = window.jupyterapp.commands.execute('notebook:run-all-cells');
}"""

WAIT_FOR_ALL = """timeout_s => {
    const tooLate = new Error(`the cells still run after ${timeout_s} s`);
    const timeout = new Promise((_, reject) => setTimeout(reject, 1000 * timeout_s, tooLate));
    return Promise.race([window.allCells, timeout]);
}"""

NAME_OF_NOTEBOOK = "() => window.jupyterapp.shell.currentWidget.context.path"

SAVE = """async () => {
    const context = window.jupyterapp.shell.currentWidget.context;
    await context.save();
    return context.path;
}"""

CELL_ERRORS = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
    .flatMap(cell => cell.outputs ?? [])
    .filter(output => output.output_type === 'error')
    .map(output => output.traceback.join('\\n'))
    .join('\\n')"""

RUN_CODE = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const execution = kernel.requestExecute({code, store_history: false});
    const reply = {text: '', error: null};
    execution.onIOPub = ({header, content}) => {
        if (header.msg_type === 'stream') reply.text += content.text;
        if (header.msg_type === 'execute_result') reply.text += content.data['text/plain'];
        if (header.msg_type === 'error') reply.error = content.traceback.join('\\n');
    };
    await execution.done;
    return reply;
}"""


def _notebook_of(cells: Iterable[str]) -> nbformat.NotebookNode:
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": kernelspec},
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
