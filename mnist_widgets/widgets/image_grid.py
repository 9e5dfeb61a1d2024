"""A page of small images in one widget: the kernel's half. The browser's is `image_grid.js`.

Which images a page holds, and what they are called, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anywidget import AnyWidget
from traitlets import Bytes, Int, List, Unicode

NO_PREVIEWS = "{}"
_STATIC = Path(__file__).with_name("static")


class ImageGrid(AnyWidget):
    """One page of a long row of images, to click or to walk through with the keyboard.

    It is a single widget with a single Tab stop: fifty images in widgets of their own would take
    half a second to show and fifty Tabs to pass. The traits say what is shown. What the user asks
    for comes as calls of `on_select` and `on_page`, so that none but the kernel writes the traits.
    The kernel may be busy or far away, so until it has answered, the page marks by itself what was
    picked, and shows the previews of it.

    Args:
        num_columns: images side by side, fewer where the window is narrow.
        page_size: images on a full page; their place is kept when a page has fewer.
        on_select: called with the id of an image that was clicked or entered.
        on_page: called with the position of the page to show, when the keyboard leaves this one.

    Attributes:
        sprite: a PNG of `page_size` images in rows of `num_columns`, 28 by 28 pixels each.
        image_ids: a number for each image of this page, by which the kernel knows it.
        names: what each image is called: its tooltip, and what a screen reader reads.
        verdicts: `"right"`, `"wrong"` or `""` for each image's frame.
        selected: the id of the selected image, on this page or not; -1 if there is none.
        num_picks: how many picks the kernel has answered; after the last answer the preview ends.
        image_previews: what other widgets are to show of each image when it is picked, as JSON:
            by image id and by the widget's model id, the values of its traits.
        answer_previews: what they are to show of the network's answer to it, likewise.
        page_index: the position of this page.
        num_images: images on all pages together.
        label: what the whole is called, for screen readers.
        notice: a sentence to show in place of the images when there are none.
    """

    # as text: to follow a file, anywidget keeps every grid ever made, and what belongs to it
    _esm = (_STATIC / "image_grid.js").read_text(encoding="utf-8")
    _css = (_STATIC / "image_grid.css").read_text(encoding="utf-8")

    sprite = Bytes().tag(sync=True)
    num_columns = Int().tag(sync=True)
    page_size = Int().tag(sync=True)
    image_ids = List(Int()).tag(sync=True)
    names = List(Unicode()).tag(sync=True)
    verdicts = List(Unicode()).tag(sync=True)
    selected = Int(-1).tag(sync=True)
    num_picks = Int(0).tag(sync=True)
    image_previews = Unicode(NO_PREVIEWS).tag(sync=True)
    answer_previews = Unicode(NO_PREVIEWS).tag(sync=True)
    page_index = Int(0).tag(sync=True)
    num_images = Int(0).tag(sync=True)
    label = Unicode("Images").tag(sync=True)
    notice = Unicode().tag(sync=True)

    def __init__(
        self,
        num_columns: int,
        page_size: int,
        on_select: Callable[[int], None],
        on_page: Callable[[int], None],
    ) -> None:
        super().__init__(num_columns=num_columns, page_size=page_size)
        self.add_class("mw-grid")
        self._actions = {"select": on_select, "page": on_page}
        self.on_msg(self._on_request)

    def _on_request(self, _grid: object, request: dict[str, int], _buffers: object) -> None:
        for name, value in request.items():
            self._actions[name](value)
