"""A student without a browser: `Student` sends the messages of a page to the hub and to a kernel.

There is no login: the hub's token gives access to all servers. Nothing is drawn: a `KernelPage`
stores the state of each widget that the kernel sends, without the binary parts.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from hub_server import HubServer
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.base import deserialize_binary_message
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

PATIENCE_S = 300.0
"""The longest wait for a server, or for the end of a cell."""
MAX_MESSAGE_BYTES = 100_000_000


class KernelPage:
    """The state that a notebook's page has of its kernel.

    Args:
        connection: to the kernel's messages.

    Attributes:
        widgets: the state of each widget, by the id of its comm.
    """

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._session = Session()
        self._replies: dict[str, dict[str, Any]] = {}
        self._news = asyncio.Condition()
        self._has_ended = False
        self.widgets: dict[str, dict[str, Any]] = {}
        self._listener = asyncio.create_task(self._listen())

    async def run_cell(self, code: str, expression: str = "None") -> str:
        """Run a cell to its end and return the value of an expression afterwards.

        Raises:
            RuntimeError: if the cell fails; the message holds its traceback.
        """
        content = {"code": code, "user_expressions": {"value": expression}}
        request_id = await self._send("execute_request", content)
        await self.wait_until(lambda: request_id in self._replies, PATIENCE_S)
        reply = self._replies.pop(request_id)
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply.get("traceback", [str(reply)])))
        return reply["user_expressions"]["value"]["data"]["text/plain"]

    def find(self, **traits: str) -> str:
        """Return the id of the only widget with these values; a list must contain its value.

        Raises:
            LookupError: if there is no such widget, or more than one.
        """
        found = [
            comm_id
            for comm_id, state in self.widgets.items()
            if all(_has(state.get(name), value) for name, value in traits.items())
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} widgets have {traits}")
        return found[0]

    async def send_to_widget(self, comm_id: str, data: dict[str, Any]) -> None:
        """Send a message to a widget in the kernel."""
        await self._send("comm_msg", {"comm_id": comm_id, "data": data})

    async def wait_until(self, holds: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `holds()` is true; it is called after each message.

        Raises:
            asyncio.TimeoutError: if this takes longer than `timeout_s`.
            ConnectionError: if the connection ends.
        """
        await asyncio.wait_for(self._wait_until(holds), timeout_s)

    async def _wait_until(self, holds: Callable[[], bool]) -> None:
        async with self._news:
            await self._news.wait_for(lambda: holds() or self._has_ended)
        if not holds():
            raise ConnectionError("the kernel's connection ended")

    async def _send(self, kind: str, content: dict[str, Any]) -> str:
        message = {**self._session.msg(kind, content), "channel": "shell", "buffers": []}
        await self._connection.write_message(json.dumps(message, default=json_default))
        return message["header"]["msg_id"]

    async def _listen(self) -> None:
        try:
            while (frame := await self._connection.read_message()) is not None:
                is_text = isinstance(frame, str)
                self._take(json.loads(frame) if is_text else deserialize_binary_message(frame))
                await self._notify()
        finally:
            self._has_ended = True
            await self._notify()

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        match message["header"]["msg_type"]:
            case "execute_reply":
                self._replies[message["parent_header"]["msg_id"]] = content
            case "comm_open":
                self.widgets[content["comm_id"]] = dict(content["data"].get("state", {}))
            case "comm_msg":
                if content["comm_id"] in self.widgets:
                    self.widgets[content["comm_id"]].update(content["data"].get("state", {}))
            case "comm_close":
                self.widgets.pop(content["comm_id"], None)


class Student:
    """One student with a server, a kernel and the first lesson.

    Args:
        hub: runs the student's server.
        number: is part of the student's name.
    """

    def __init__(self, hub: HubServer, number: int) -> None:
        self._hub = hub
        self.name = f"student{number}"
        self._num_clicks = 0
        self.page: KernelPage

    async def start_server(self) -> None:
        """Start the student's server, and return when it is ready."""
        await self._fetch("POST", f"/hub/api/users/{self.name}")
        await self._fetch("POST", f"/hub/api/users/{self.name}/server")
        deadline = time.monotonic() + PATIENCE_S
        while not json.loads(await self._fetch("GET", f"/hub/api/users/{self.name}"))["server"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}'s server did not start:\n{self._hub.log()}")
            await asyncio.sleep(0.5)  # the interval of the hub's own page

    async def open_notebook(self, notebook: dict[str, Any]) -> None:
        """Save a notebook in the student's folder, open it, and start its kernel."""
        server = f"/user/{self.name}"
        content = {"type": "notebook", "content": notebook}
        await self._fetch("PUT", f"{server}/api/contents/lesson.ipynb", content)
        await self._fetch("GET", f"{server}/lab")
        await self._fetch("GET", f"{server}/api/contents/lesson.ipynb")
        wanted = {"path": "lesson.ipynb", "type": "notebook", "name": "", "kernel": {"name": ""}}
        answer = await self._fetch("POST", f"{server}/api/sessions", wanted)
        kernel_id = json.loads(answer)["kernel"]["id"]
        address = f"{self._hub.address}{server}/api/kernels/{kernel_id}/channels"
        request = self._request(address.replace("http:", "ws:"))
        connection = await websocket_connect(request, max_message_size=MAX_MESSAGE_BYTES)
        self.page = KernelPage(connection)

    async def press_start(self, epochs: int, timeout_s: float) -> None:
        """Type a number of epochs, press Start, and wait until the panel shows the training."""
        page = self.page
        typed = {"method": "update", "state": {"value": epochs}, "buffer_paths": []}
        await page.send_to_widget(page.find(description="Epochs"), typed)
        await page.send_to_widget(
            page.find(_dom_classes="mw-start"), {"method": "custom", "content": {"event": "click"}}
        )
        await page.wait_until(lambda: self.reads("Training"), timeout_s)

    async def click_image(self, timeout_s: float) -> None:
        """Click the next test image and wait for its prediction."""
        self._num_clicks += 1
        index, widgets = self._num_clicks, self.page.widgets
        grid = self.page.find(_dom_classes="mw-grid")
        enlarged = self.page.find(_dom_classes="mw-image")
        before = widgets[enlarged]["value"]
        await self.page.send_to_widget(grid, {"method": "custom", "content": {"select": index}})
        await self.page.wait_until(
            lambda: widgets[enlarged]["value"] != before and widgets[grid]["selected"] == index,
            timeout_s,
        )

    def reads(self, word: str) -> bool:
        """Return whether the panel shows this word for the state."""
        return word in self.page.widgets[self.page.find(_dom_classes="mw-state-line")]["value"]

    @property
    def progress(self) -> float:
        """The progress of the training from 0 to 1, as the panel's bar shows it."""
        return self.page.widgets[self.page.find(_model_name="FloatProgressModel")]["value"]

    async def _fetch(self, method: str, path: str, body: object = None) -> str:
        request = self._request(self._hub.address + path)
        request.method = method
        request.body = json.dumps(body).encode() if body or method == "POST" else None
        answer = await AsyncHTTPClient().fetch(request)
        return answer.body.decode()

    def _request(self, address: str) -> HTTPRequest:
        headers = {"Authorization": f"token {self._hub.token}"}
        return HTTPRequest(address, headers=headers, request_timeout=PATIENCE_S)


async def wait_for_hub(hub: HubServer) -> None:
    """Return when the hub answers.

    Raises:
        RuntimeError: if it does not answer in time; the message contains its log.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            await AsyncHTTPClient().fetch(f"{hub.address}/hub/api/")
        except (OSError, HTTPClientError) as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"JupyterHub did not start. Its log:\n{hub.log()}") from error
            await asyncio.sleep(0.2)
        else:
            return


def _has(trait: object, value: str) -> bool:
    return value in trait if isinstance(trait, list) else trait == value
