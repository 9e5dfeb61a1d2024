"""Find out which host runs this process, and which program shows its output.

The signs are in the environment variables and in the running kernel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

HOSTS = {
    "Binder": "BINDER_SERVICE_HOST",
    "GitHub Codespaces": "CODESPACES",
    "JupyterHub": "JUPYTERHUB_USER",
}
"""Hosts, each with an environment variable that it sets."""

VOILA = "Voila"
SERVERS = {
    "jupyter-lab": "JupyterLab's server",
    "jupyterlab": "JupyterLab's server",
    "jupyter-notebook": "Notebook's server",
    "notebook": "Notebook's server",
    "jupyterhub-singleuser": "JupyterHub's server",
    "voila": VOILA,
}
"""Servers that start kernels, by their commands. One server shows JupyterLab and Notebook."""
NOTEBOOK_SERVERS = set(SERVERS.values()) - {VOILA}
"""Those whose pages open a notebook that another one links to."""


def is_in_colab() -> bool:
    """Return whether this is Google Colab, which draws nothing that another thread sends.

    Source: https://github.com/googlecolab/colabtools/issues/3373
    """
    return "google.colab" in sys.modules


def find_front_end(environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of the program that shows the output of this process.

    Args:
        environ: the environment variables.

    Returns:
        `Google Colab`, `VS Code`, one of `SERVERS`, `a Jupyter kernel` if its server is unknown, or
        `terminal` if there is no kernel.
    """
    if is_in_colab():
        return "Google Colab"
    shell = _find_shell()
    if getattr(shell, "kernel", None) is None:
        return "terminal"
    if environ.get("VSCODE_PID") or "__vsc_ipynb_file__" in shell.user_ns:
        return "VS Code"
    if environ.get("VOILA_REQUEST_URL"):
        return VOILA
    return _find_server(environ.get("JPY_PARENT_PID", "")) or "a Jupyter kernel"


def find_hosts(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of the hosts that run this; Binder, for example, runs on a JupyterHub."""
    return [host for host, sign in HOSTS.items() if environ.get(sign)]


def _find_shell() -> Any:  # noqa: ANN401 - IPython carries no types
    """Return IPython's shell, or None if it was not started: then IPython is not imported."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _find_server(pid: str) -> str | None:
    """Return the name of the server that started this kernel, or None if it is unknown."""
    import psutil  # ipykernel brings it

    try:
        words = psutil.Process(int(pid)).cmdline()[:4]  # at most python, -m, its name
    except (ValueError, psutil.Error):
        return None
    names = (word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe") for word in words)
    return next((SERVERS[name] for name in names if name in SERVERS), None)
