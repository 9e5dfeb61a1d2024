"""The line below a chart: its caption, its numbers as a table, and files to save.

The browser's half is `chart_footer.js`. bqplot's charts have no name for screen readers, so the
page gives them the one that stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anywidget import AnyWidget
from traitlets import Bool, Unicode

from mnist_widgets.widgets.theme import read_static


class ChartFooter(AnyWidget):
    """A caption with the buttons Data and Save.

    Args:
        name: of the chart.
        on_save: called with `"png"` or `"csv"`; returns the file's content.

    Attributes:
        name: the name of the chart, for screen readers.
        caption: what the chart shows now, as plain text.
        topic: what the caption is about. Screen readers read the caption of a new topic aloud when
            both have stayed the same for two seconds, and `may_speak` is True. The captions of an
            empty topic are not read aloud.
        may_speak: whether a caption may be read aloud; False during a training.
        shows_data: whether the table is wanted; written by the page.
        table: the numbers as HTML; written by the kernel while the table is wanted, else empty.
    """

    _esm = read_static("elements.js", "download.js", "chart_footer.js")
    _css = read_static("chart_footer.css")

    name = Unicode().tag(sync=True)
    # no echo: a grid's page may write the caption, and the kernel's copy would come too late
    caption = Unicode().tag(sync=True, echo_update=False)
    topic = Unicode().tag(sync=True)
    may_speak = Bool(True).tag(sync=True)
    shows_data = Bool(False).tag(sync=True, echo_update=False)
    table = Unicode().tag(sync=True)

    def __init__(self, name: str, on_save: Callable[[str], bytes]) -> None:
        super().__init__(name=name)
        self._on_save = on_save
        self.add_class("mw-chart-footer")
        self.on_msg(self._on_request)

    def _on_request(self, _footer: object, request: dict[str, Any], _buffers: object) -> None:
        try:
            content = self._on_save(request["save"])
        except Exception as error:
            self.send({"id": request["id"], "error": f"The file could not be made: {error}"})
        else:
            self.send(request, [content])
