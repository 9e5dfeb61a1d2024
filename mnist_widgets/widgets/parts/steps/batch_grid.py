"""The images of a recorded batch, to choose one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipywidgets import HTML, VBox
from torch import Tensor
from torch.nn import functional

from mnist_widgets.data.images import to_sprite
from mnist_widgets.rendering.steps.pictures import find_image_shape
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.widgets.parts.choices import on_choice, written_by_code
from mnist_widgets.widgets.parts.gallery_controls import Pager
from mnist_widgets.widgets.parts.image_grid import ImageGrid

NUM_COLUMNS, NUM_ROWS = 12, 3
PAGE_SIZE = NUM_COLUMNS * NUM_ROWS


class BatchGrid(VBox):
    """The images of a batch, page by page.

    Args:
        on_change: called with the position in the batch of the image that was chosen.
        on_turn: called when another page is requested; `show` then shows it.
    """

    def __init__(self, on_change: Callable[[int], None], on_turn: Callable[[], None]) -> None:
        self._pager = Pager(PAGE_SIZE, on_turn)
        self._grid = ImageGrid(NUM_COLUMNS, PAGE_SIZE, [""], self._pager.turn_to)
        self._record: StepRecord | None = None  # whose images are on the page
        on_choice(self._grid, lambda change: on_change(change["new"]), "selected")
        self._words = HTML(
            "<p>The images are not 28 by 28, so they are not shown side by side.</p>"
        )
        super().__init__([self._grid, self._pager, self._words])
        self.layout.display = "none"

    def hide(self) -> None:
        """Show nothing."""
        self.layout.display = "none"

    def show(self, record: StepRecord, image: int, names: Sequence[str]) -> None:
        """Show a page of a batch; a sentence instead if its images are not 28 by 28 pixels.

        Args:
            record: has the batch.
            image: the position of the chosen one.
            names: of all images.
        """
        pixels = _to_pixels(record)
        self.layout.display = "none" if record.inputs is None else None
        self._grid.layout.display = None if pixels is not None else "none"
        self._words.layout.display = "none" if pixels is not None else None
        if pixels is None:
            self._pager.layout.display = "none"
            return
        page = self._pager.show(len(pixels))
        self._pager.layout.display = None if self._pager.num_pages > 1 else "none"
        grid, page_index = self._grid, self._pager.page_index
        with written_by_code(grid), grid.hold_sync():
            is_turned = grid.page_index != page_index
            if record is not self._record or is_turned or image not in grid.image_ids:
                ids = list(range(len(pixels)))[page]
                num_visible = len(ids)
                if image not in ids:
                    ids.append(image)
                padding = (0, 0, 0, 0, 0, PAGE_SIZE + 1 - len(ids))
                grid.sprite = to_sprite(functional.pad(pixels[ids], padding), NUM_COLUMNS)
                grid.image_ids, grid.num_visible = ids, num_visible
                grid.names = [names[index] for index in ids]
                grid.verdicts = grid.sentences = grid.marks = [""] * len(ids)
                grid.labels = [0] * len(ids)
                grid.page_index, grid.num_images = page_index, len(pixels)
                grid.label = f"The batch, page {page_index + 1} of {self._pager.num_pages}"
            grid.selected = image
        self._record = record


def _to_pixels(record: StepRecord) -> Tensor | None:
    """Return the images as uint8 (B, 28, 28), the largest value white; None if they are others."""
    if record.inputs is None or find_image_shape(record) != (28, 28):
        return None
    values = record.inputs.cpu().float().nan_to_num().reshape(len(record.inputs), -1, 28, 28)
    lowest, highest = min(0.0, float(values.min())), max(1.0, float(values.max()))
    return (255 * (values.mean(dim=1) - lowest) / (highest - lowest)).round().byte()
