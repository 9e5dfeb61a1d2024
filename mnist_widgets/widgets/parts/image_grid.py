"""A page of small images in one widget: the kernel's half. The browser's half is `image_grid.js`.

The page writes `selected`, the person's selection; the kernel writes the images and the network's
answers. From both, the page derives what other widgets show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from anywidget import AnyWidget
from ipywidgets import Widget
from torch import Tensor
from traitlets import Bytes, Int, List, Unicode

from mnist_widgets.widgets.theme import read_static

Target: TypeAlias = tuple[str, str, str]
"""The name of something that the page derives; the id of a widget's model, and its trait for it."""


class Answer(NamedTuple):
    """One image and the network's answer.

    Attributes:
        image: uint8 (28, 28), or float (1, 28, 28) in [0, 1].
        probabilities: (C,).
        true_label: the image's class, or None if it is unknown.
    """

    image: Tensor
    probabilities: Tensor
    true_label: int | None


class Gallery(Protocol):
    """Selects one of many images; other widgets can follow its selection."""

    @property
    def grid(self) -> ImageGrid:
        """The widget that holds the selection and the answers."""

    def selected_answer(self) -> Answer | None:
        """Return the selected image with its answer, or None if there is none."""


class ImageGrid(AnyWidget):
    """One page of a long row of images, to click or to walk through with the keyboard.

    It is a single widget with a single Tab stop: fifty images in widgets of their own would take
    half a second to show and fifty Tabs to pass. Each trait has one writer. What other widgets
    show of the selected image, the page derives and writes there: a click is answered without the
    kernel, which may be busy or far away. `jsdlink` would do that, too, but also send each
    value to the kernel: on two CPUs that was a third of what the whole lab costs a training.

    Args:
        num_columns: images side by side, fewer where the window is narrow.
        page_size: images on a full page; their place is kept when a page has fewer.
        class_names: the names of the C classes.
        on_page: called with the position of the page to show, when the keyboard leaves this one.

    Attributes:
        selected: written by the page, and by the kernel only when Python code selects an image:
            the id of the selected image, -1 if there is none.
        image_ids: a number for each image that the page knows, M of them: the visible images, and
            the selected one where it is not visible.
        num_visible: how many of them are on this page; they come first.
        sprite: a PNG of the M images, 28 by 28 pixels each, in rows of `num_columns`, and of black
            cells up to `page_size + 1`.
        names: the name of each of the M images: its tooltip, and what a screen reader reads.
        verdicts: `"right"`, `"wrong"` or `""` for the frame of each image.
        labels: the true class of each image.
        marks: the wrong label of each image, drawn in its corner; "" where the label is right.
        probabilities: the answers, float32 (M, C) as bytes.
        sentences: each answer in words; `""` where there is none yet.
        page_index: the position of this page.
        num_images: images on all pages together.
        summary: what the page shows, in a sentence.
        label: the name of the whole grid, for screen readers.
        notice: a sentence to show in place of the images when there are none.
        targets: where the page writes what it derives; the kernel must not write there. `caption`
            is the summary and the name of the selected image, `picture` that image enlarged, as
            HTML, `bars` its C probabilities, `sentence` its answer in words, `values` a table of
            all its probabilities, as HTML, and `true_class` a list of the name of its class, empty
            if no image is selected.
    """

    # as text: to watch a file, anywidget keeps a reference to every grid ever made
    _esm = read_static("elements.js", "image_grid_logic.js", "image_grid.js")
    _css = read_static("image_grid.css")

    selected = Int(-1).tag(sync=True)
    num_columns = Int().tag(sync=True)
    page_size = Int().tag(sync=True)
    class_names = List(Unicode()).tag(sync=True)
    image_ids = List(Int()).tag(sync=True)
    num_visible = Int(0).tag(sync=True)
    sprite = Bytes().tag(sync=True)
    names = List(Unicode()).tag(sync=True)
    verdicts = List(Unicode()).tag(sync=True)
    labels = List(Int()).tag(sync=True)
    marks = List(Unicode()).tag(sync=True)
    probabilities = Bytes().tag(sync=True)
    sentences = List(Unicode()).tag(sync=True)
    page_index = Int(0).tag(sync=True)
    num_images = Int(0).tag(sync=True)
    summary = Unicode().tag(sync=True)
    label = Unicode("Images").tag(sync=True)
    notice = Unicode().tag(sync=True)
    targets: List[Target] = List().tag(sync=True)

    def __init__(
        self,
        num_columns: int,
        page_size: int,
        class_names: Sequence[str],
        on_page: Callable[[int], None],
    ) -> None:
        super().__init__(
            num_columns=num_columns, page_size=page_size, class_names=list(class_names)
        )
        self.add_class("mw-grid")
        self.on_msg(lambda _grid, request, _buffers: on_page(request["page"]))

    def choose_ids(self, on_page: list[int], selected_index: int | None) -> list[int]:
        """Return the images on a page, and the selected one if it is not among them.

        Once another is selected, that one stays until the page is turned: a click then sends no
        pictures.
        """
        known, index = self.image_ids, selected_index
        if known[: self.num_visible] == on_page and (index is None or index in known):
            return list(known)
        return on_page if index is None or index in on_page else [*on_page, index]

    def show_on(self, name: str, widget: Widget, trait: str) -> Target:
        """Let the page write something that it derives into a trait of another widget."""
        target = name, widget.model_id, trait
        self.targets = [*self.targets, target]
        return target
