"""A real JupyterHub on loopback for a measurement: `HubServer` starts, stops and measures it.

Every student gets a JupyterLab server in this Python environment, as a process without limits.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).parents[1]
STOP_TIMEOUT_S = 60
CONFIG = """
c = get_config()
c.JupyterHub.bind_url = {address!r}
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r}
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {environment!r}
c.Spawner.start_timeout = c.Spawner.http_timeout = 300  # a whole class starts at once
c.JupyterHub.services = [{{"name": "class", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "class", "services": ["class"],
      "scopes": ["admin:users", "admin:servers", "access:servers"]}}
]
"""


class Weight(NamedTuple):
    """The memory of some processes, in MB.

    Attributes:
        peak: the largest resident memory so far, including libraries.
        proportional: resident memory now, with shared memory divided among its processes.
    """

    peak: float
    proportional: float


class HubServer:
    """A hub, its proxy and the students' servers, all in one temporary folder.

    Args:
        proxy: the command `configurable-http-proxy`.
        environment: variables of the students' servers.

    Attributes:
        address: of the hub's page.
        token: gives access to the hub's API and to all students' servers.
    """

    def __init__(self, proxy: str, environment: Mapping[str, str]) -> None:
        self.token = secrets.token_hex(16)
        self._folder = Path(tempfile.mkdtemp())
        hub_port, proxy_port, port = _free_ports(3)
        self.address = f"http://127.0.0.1:{port}"
        config = CONFIG.format(
            address=self.address,
            hub_port=hub_port,
            proxy_port=proxy_port,
            proxy=proxy,
            homes=str(self._folder / "homes" / "{username}"),
            python=sys.executable,
            environment={"PYTHONPATH": str(ROOT), **environment},
            token=self.token,
        )
        (self._folder / "jupyterhub_config.py").write_text(config, encoding="utf-8")

    def start(self) -> None:
        """Start the hub; it answers some seconds later."""
        with self._log.open("wb") as log:
            self._process = psutil.Popen(
                [sys.executable, "-m", "jupyterhub"],
                cwd=self._folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """End the hub and its processes; kill them after `STOP_TIMEOUT_S`."""
        processes = [self._process, *self._process.children(recursive=True)]
        self._process.terminate()
        _, alive = psutil.wait_procs(processes, STOP_TIMEOUT_S)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, STOP_TIMEOUT_S)

    def log(self) -> str:
        """Return the output of the hub, its proxy and the servers."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def weigh_students(self) -> list[Weight]:
        """Return the memory of each student's server and kernel together."""
        return [_weigh([server, *server.children(recursive=True)]) for server in self._servers()]

    def weigh_hub(self) -> Weight:
        """Return the memory of the hub and its proxy."""
        servers = self._servers()
        others = [child for child in self._process.children() if child not in servers]
        return _weigh([self._process, *others])

    def cpu_seconds(self) -> float:
        """Return the CPU time that the hub, the servers and the kernels have used so far."""
        times = (
            process.cpu_times()
            for process in [self._process, *self._process.children(recursive=True)]
        )
        return sum(time.user + time.system for time in times)

    @property
    def _log(self) -> Path:
        return self._folder / "hub.log"

    def _servers(self) -> list[psutil.Process]:
        return [
            child
            for child in self._process.children()
            if "jupyterhub.singleuser" in child.cmdline()
        ]


def _weigh(processes: list[psutil.Process]) -> Weight:
    return Weight(
        sum(map(_read_peak_mb, processes)),
        sum(process.memory_full_info().pss for process in processes) / 1e6,
    )


def _read_peak_mb(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
