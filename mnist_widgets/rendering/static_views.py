"""Static views of what panels show: plain text, and HTML that needs no kernel, script or style.

A notebook keeps them beside the live panels, and `report_page` is made of them. The HTML holds its
pictures as PNGs and uses only what GitHub keeps of a notebook's outputs: no style sheets, no SVG.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mnist_widgets.rendering.captions import format_loss, format_metric, name_metric, to_html
from mnist_widgets.rendering.chart_sentences import describe_confusion
from mnist_widgets.rendering.confusion_captions import write_share
from mnist_widgets.rendering.curves.series import DEFAULT_SMOOTHING, smooth_at
from mnist_widgets.rendering.png_canvas import PIXEL_RATIO
from mnist_widgets.rendering.png_charts import (
    MOST_NUMBERED,
    draw_confusion,
    draw_images,
    draw_prediction,
)
from mnist_widgets.training.evaluation.measures import precision, recall
from mnist_widgets.training.history import History

_NUM_MISTAKES = 20


@dataclass(frozen=True)
class StaticView:
    """What a panel shows at one moment.

    Attributes:
        text: for terminals and readers of plain text.
        html: the same with pictures.
    """

    text: str
    html: str

    @classmethod
    def of_words(cls, words: str) -> StaticView:
        """Return a view of a few sentences."""
        return cls(words, f"<p>{to_html(words)}</p>")

    @classmethod
    def of_code(cls, words: str, code: str) -> StaticView:
        """Return a view of a sentence and of code below it."""
        return cls(
            f"{words}\n\n{code}",
            f"<p>{to_html(words)}</p><pre><code>{html.escape(code)}</code></pre>",
        )

    @classmethod
    def of_table(
        cls,
        titles: Sequence[str],
        rows: Sequence[Sequence[str]],
        caption: str = "",
        *,
        has_diagonal: bool = False,
    ) -> StaticView:
        """Return a view of a table: aligned columns, and HTML with headers for screen readers.

        Args:
            titles: of the columns.
            rows: each as long as the titles; its first cell names it.
            caption: explains the table.
            has_diagonal: whether the cells from the top left downwards are bold, as those of a
                confusion matrix; cells beside and below that square are not.
        """
        lines = [titles, *rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        ]
        head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
        body = ""
        for at, (first, *cells) in enumerate(rows):
            written = list(map(to_html, cells))
            if has_diagonal:
                written[at] = f"<strong>{written[at]}</strong>"
            data = "".join(f"<td>{cell}</td>" for cell in written)
            body += f'<tr><th scope="row">{to_html(first)}</th>{data}</tr>'
        table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        if caption:
            text.insert(0, caption)
            table = f"<caption>{to_html(caption)}</caption>{table}"
        return cls("\n".join(text), f"<table>{table}</table>")

    @classmethod
    def of_picture(cls, png: bytes, words: str, alternative: str = "") -> StaticView:
        """Return a view of a picture with a text below it.

        Args:
            png: drawn on a `Canvas`; it is shown in the size that it was drawn for.
            words: below the picture.
            alternative: describes the picture for screen readers; by default `words`.
        """
        width_px = int.from_bytes(png[16:20], "big") // PIXEL_RATIO  # where a PNG holds its width
        data = base64.b64encode(png).decode()
        image = (
            f'<img width="{width_px}" alt="{html.escape(alternative or words)}" '
            f'src="data:image/png;base64,{data}">'
        )
        return cls(words, f"<p>{image}</p><p>{to_html(words)}</p>")

    def titled(self, title: str, level: int = 3) -> StaticView:
        """Return the same view below a heading, which has this level in HTML."""
        line = f"{title}\n{'-' * len(title)}\n"
        return StaticView(line + self.text, f"<h{level}>{html.escape(title)}</h{level}>{self.html}")


def join_views(views: Iterable[StaticView]) -> StaticView:
    """Return several views as one, from top to bottom."""
    all_views = tuple(views)
    return StaticView(
        "\n\n".join(view.text for view in all_views), "".join(view.html for view in all_views)
    )


def render_confusion(counts: Tensor | None, class_names: Sequence[str], noun: str) -> StaticView:
    """Return the confusion matrix with accuracy, recall and precision.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`; None if nothing was evaluated.
        class_names: in the order of the counts.
        noun: what a class is: `digit` or `class`.
    """
    words = describe_confusion(counts, class_names, noun)
    if counts is None or not counts.any():
        return StaticView.of_words(words)
    layout = f"a row for each true {noun}, a column for each predicted one"
    picture = draw_confusion(counts, class_names, noun)
    matrix = StaticView.of_picture(picture, words, f"Confusion matrix: {layout}. {words}")
    return join_views([matrix, tabulate_counts(counts, class_names, noun)])


def tabulate_counts(counts: Tensor, class_names: Sequence[str], noun: str) -> StaticView:
    """Return a table of the counts, with each class's recall and precision.

    A dash stands where one of these is undefined. With more than `MOST_NUMBERED` classes the table
    has the most frequent mistakes instead.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`.
        class_names: in the order of the counts.
        noun: what a class is: `digit` or `class`.
    """
    if len(class_names) > MOST_NUMBERED:
        return _tabulate_mistakes(counts, class_names, noun)
    caption = (
        f"A row for each true {noun}, a column for each predicted one. "
        f"Recall: the share of a {noun}'s images that were recognized. "
        f"Precision: of all images read as this {noun}, the share that are this {noun}."
    )
    columns = [map(write_share, measure(counts).tolist()) for measure in (recall, precision)]
    rows = [
        [name, *map(str, numbers), *measures]
        for name, numbers, *measures in zip(class_names, counts.tolist(), *columns, strict=True)
    ]
    titles = ["True", *class_names, "Recall", "Precision"]
    return StaticView.of_table(titles, rows, caption, has_diagonal=True)


def _tabulate_mistakes(counts: Tensor, class_names: Sequence[str], noun: str) -> StaticView:
    mistakes = counts.clone().fill_diagonal_(0)
    numbers, cells = mistakes.flatten().topk(_NUM_MISTAKES)
    rows = [
        (class_names[cell // len(class_names)], class_names[cell % len(class_names)], f"{number:,}")
        for number, cell in zip(numbers.tolist(), cells.tolist(), strict=True)
        if number
    ]
    if not rows:
        return StaticView.of_words("There is no mistake.")
    caption = f"The most frequent mistakes of {len(class_names):,} classes; a saved file has all."
    return StaticView.of_table((f"True {noun}", f"Predicted {noun}", "Images"), rows, caption)


def render_prediction(
    image: Tensor,
    probabilities: Tensor,
    class_names: Sequence[str],
    true_label: int | None,
    words: str,
) -> StaticView:
    """Return one image with the probabilities of its classes.

    Args:
        image: (28, 28) or (1, 28, 28), uint8 or floats in [0, 1].
        probabilities: (C,), which sum to 1.
        class_names: in the order of the probabilities.
        true_label: the image's class, if it is known.
        words: describe the prediction.
    """
    picture = draw_prediction(image, probabilities, class_names, true_label)
    shares = zip(class_names, probabilities.tolist(), strict=True)
    lines = [f"{name}: {100 * share:.2f} %" for name, share in shares]
    return StaticView("\n".join([words, *lines]), StaticView.of_picture(picture, words).html)


def render_images(
    images: Tensor, verdicts: Sequence[str], names: Sequence[str], num_columns: int, words: str
) -> StaticView:
    """Return a page of images, each in a frame that says whether it is recognized.

    Args:
        images: uint8 (N, 28, 28).
        verdicts: `"right"`, `"wrong"` or `""` for each.
        names: of the images, with their predictions.
        num_columns: images side by side.
        words: describe the page.
    """
    if not len(images):
        return StaticView.of_words(words)
    wrong = [name for name, verdict in zip(names, verdicts, strict=True) if verdict == "wrong"]
    page = StaticView.of_picture(draw_images(images, verdicts, num_columns), words)
    items = "".join(f"<li>{to_html(name)}</li>" for name in wrong)
    mistakes = f"<p>Wrong, in orange frames with a cross:</p><ul>{items}</ul>" if wrong else ""
    return StaticView("\n".join([words, *wrong]), page.html + mistakes)


def tabulate_batches(
    history: History, smoothing: float = DEFAULT_SMOOTHING, max_rows: int = 40
) -> StaticView:
    """Return a table of some batches' losses, with the epoch's metrics where an epoch ends.

    It takes as long for many batches as for few.

    Args:
        history: the history to show; another thread may append to it.
        smoothing: strength of the smoothed losses, from 0 to below 1.
        max_rows: half of them are spread over all batches, half over the ends of epochs.
    """
    ends, losses = list(history.epoch_ends), history.batch_losses
    num_batches = len(losses)
    if not num_batches:
        return StaticView.of_words("No batch has been trained yet.")
    names = list(history) if ends else []
    epochs = {ends[epoch - 1]: epoch for epoch in _spread(len(ends), max_rows // 2)}
    epochs.pop(0, None)  # an epoch without a batch, of a loop of someone's own
    batches = sorted({*_spread(num_batches, max_rows // 2), *epochs})
    rows = []
    for batch in batches:
        epoch = epochs.get(batch)
        metrics = [_write_metric(history, name, epoch) if epoch else "" for name in names]
        metrics = [f"{epoch or ''}", *metrics] if names else []
        numbers = (losses[batch - 1], smooth_at(batch, losses, smoothing))
        rows.append([f"{batch:,}", *map(format_loss, numbers), *metrics])
    titles = ["Batch", "Loss", "Smoothed", *(["Epoch"] if names else []), *map(name_metric, names)]
    caption = f"{len(batches)} of {num_batches:,} batches; a saved file of the numbers has all."
    return StaticView.of_table(titles, rows, caption if len(batches) < num_batches else "")


def _spread(last: int, max_numbers: int) -> list[int]:
    """Return numbers from 1 to `last` at equal distances, or all of them."""
    return list(map(int, np.linspace(1, last, min(last, max_numbers)).round()))


def tabulate_epochs(history: History, max_epochs: int | None = None) -> StaticView:
    """Return a table with the mean loss and the metrics of each whole epoch.

    Args:
        history: the history to show.
        max_epochs: shows only the last ones; None shows all.
    """
    num_epochs = history.num_epochs
    if not num_epochs:
        return StaticView.of_words("No epoch is complete yet.")
    names = list(history)
    first = 0 if max_epochs is None else max(0, num_epochs - max_epochs)
    rows = [
        [str(epoch), *(_write_metric(history, name, epoch) for name in names)]
        for epoch in range(first + 1, num_epochs + 1)
    ]
    caption = f"The last {max_epochs} of {num_epochs} epochs:" if first else ""
    return StaticView.of_table(["Epoch", *map(name_metric, names)], rows, caption)


def _write_metric(history: History, name: str, epoch: int) -> str:
    """Return the value of an epoch; a dash for a metric that was not measured or is no number."""
    value = history.find(name, epoch)
    has_number = name == "train" or not math.isnan(value)
    return format_metric(name, value) if has_number else "\N{EN DASH}"
