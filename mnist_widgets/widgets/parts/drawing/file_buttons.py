"""Buttons that save and load files in the page: the kernel's half of `file_buttons.js`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from anywidget import AnyWidget
from traitlets import Bool, Int, Unicode

from mnist_widgets.widgets.theme import read_static

MOST_LOADED_BYTES = 8_000_000
"""Of all files that are loaded at once: Jupyter Server closes the connection at a message of more
than 10 MiB (`websocket_max_message_size` of Tornado)."""


class FileButtons(AnyWidget):
    """The buttons Save and Load.

    ipywidgets' `FileUpload` cannot load a file twice, nor refuse one that is too large.

    Args:
        file_name: proposed for the saved file.
        save_tooltip: explains Save.
        load_tooltip: explains Load.
        on_save: returns the file's content, or None to save nothing.
        on_load: called with names and contents of the chosen files, or with None if they are larger
            than `MOST_LOADED_BYTES` together. The content of a file that the browser could not read
            is None.

    Attributes:
        can_save: whether there is something to save; written by the kernel.
        max_bytes: the largest size of all files chosen at once.
    """

    # as text: to watch a file, anywidget keeps a reference to every widget ever made
    _esm = read_static("elements.js", "download.js", "file_buttons.js")

    file_name = Unicode().tag(sync=True)
    save_tooltip = Unicode().tag(sync=True)
    load_tooltip = Unicode().tag(sync=True)
    can_save = Bool(False).tag(sync=True)
    max_bytes = Int(MOST_LOADED_BYTES).tag(sync=True)

    def __init__(
        self,
        file_name: str,
        save_tooltip: str,
        load_tooltip: str,
        on_save: Callable[[], str | None],
        on_load: Callable[[list[tuple[str, bytes | None]] | None], None],
    ) -> None:
        super().__init__(file_name=file_name, save_tooltip=save_tooltip, load_tooltip=load_tooltip)
        self._on_save, self._on_load = on_save, on_load
        self.add_class("mw-file-buttons")
        self.on_msg(self._on_message)

    def _on_message(
        self, _buttons: object, message: dict[str, Any], buffers: Sequence[memoryview]
    ) -> None:
        if "id" in message:
            content = self._on_save()
            if content is not None:
                self.send(message, [content.encode()])
        elif message["is_too_large"]:
            self._on_load(None)
        else:
            read = zip(message["names"], map(bytes, buffers), strict=True)
            self._on_load([*read, *((name, None) for name in message["unreadable"])])
