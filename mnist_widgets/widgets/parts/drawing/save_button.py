"""A button that downloads a file from the kernel: the kernel's half of `save_button.js`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anywidget import AnyWidget
from traitlets import Bool, Unicode

from mnist_widgets.widgets.theme import read_static


class SaveButton(AnyWidget):
    """A button Save.

    Args:
        file_name: proposed for the file.
        tooltip: explains the button.
        write: returns the file's content.

    Attributes:
        disabled: whether there is nothing to save; written by the kernel.
    """

    _esm = read_static("save_button.js")

    file_name = Unicode().tag(sync=True)
    tooltip = Unicode().tag(sync=True)
    disabled = Bool(True).tag(sync=True)

    def __init__(self, file_name: str, tooltip: str, write: Callable[[], str]) -> None:
        super().__init__(file_name=file_name, tooltip=tooltip, layout={"width": "66px"})
        self._write = write
        self.add_class("mw-more").add_class("mw-save-set")
        self.on_msg(self._on_request)

    def _on_request(self, _button: object, request: dict[str, Any], _buffers: object) -> None:
        self.send(request, [self._write().encode()])
