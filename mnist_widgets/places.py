"""Where this runs: what shows the output, whose computer it is, and how a session trains there.

Only signs that these places leave are read, in the environment and in the running kernel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Literal

COLAB, TERMINAL = "Google Colab", "terminal"

HOSTS = {
    "Binder": "BINDER_SERVICE_HOST",
    "GitHub Codespaces": "CODESPACES",
    "JupyterHub": "JUPYTERHUB_USER",
}
"""Whose computer it may be, by the variable that is set there."""

# What the command of a server contains; JupyterLab's and Notebook's pages share one server, and
# only the page knows which of them it is.
SERVERS = {
    "voila": "Voila",
    "notebook": "Notebook",
    "jupyterhub-singleuser": "JupyterLab",
    "labhub": "JupyterLab",
    "lab": "JupyterLab",
}


def find_front_end(environ: Mapping[str, str] = os.environ) -> str:
    """Name what shows the output of this process, as far as a kernel can know it.

    Args:
        environ: the environment variables to go by.

    Returns:
        `Google Colab`, `VS Code`, `Voila`, `JupyterLab`, `Notebook`, `a Jupyter kernel` where
        nothing tells which, or `terminal`, where there is no kernel.
    """
    if "google.colab" in sys.modules or environ.get("COLAB_RELEASE_TAG"):
        return COLAB
    shell = _find_shell()
    if getattr(shell, "kernel", None) is None:
        return TERMINAL
    if environ.get("VSCODE_PID") or "__vsc_ipynb_file__" in shell.user_ns:
        return "VS Code"
    if environ.get("VOILA_REQUEST_URL"):
        return "Voila"
    return _find_server(environ.get("JPY_PARENT_PID", "")) or "a Jupyter kernel"


def find_hosts(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Name whose computer this is, if it tells; Binder, say, runs on a JupyterHub."""
    return [host for host, sign in HOSTS.items() if environ.get(sign)]


def choose_driver(front_end: str) -> Literal["background", "foreground"]:
    """Say where a session trains: Colab draws nothing that a thread sends (colabtools#3373).

    Args:
        front_end: as `find_front_end` names it.
    """
    return "foreground" if front_end == COLAB else "background"


def _find_shell() -> Any:  # noqa: ANN401 - IPython carries no types
    """Return IPython's shell, if it was started; whoever did has imported it."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _find_server(pid: str) -> str | None:
    """Name the server that started this kernel by its command."""
    import psutil  # ipykernel brings it

    try:
        words = psutil.Process(int(pid)).cmdline()[:4]
    except (ValueError, psutil.Error):
        return None
    command = " ".join(word.replace("\\", "/").rpartition("/")[2] for word in words)
    return next((name for sign, name in SERVERS.items() if sign in command), None)
