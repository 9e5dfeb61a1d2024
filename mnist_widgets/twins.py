"""Twins of what panels show: plain text, and HTML that is whole without kernel, script and style.

A notebook keeps them beside the live panels, and `report_page` is made of them. The HTML holds its
pictures as PNGs and gets by with what GitHub leaves of a notebook's outputs, which is neither style
sheets nor SVG. The pictures are drawn by `pictures` and `loss_picture`.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mnist_widgets.canvas import FINENESS
from mnist_widgets.confusion_view import describe_accuracy, format_percent
from mnist_widgets.curves import smooth
from mnist_widgets.history import History
from mnist_widgets.loss_picture import draw_losses
from mnist_widgets.measures import precision, recall
from mnist_widgets.messages import describe_losses, format_loss
from mnist_widgets.pictures import draw_confusion, draw_images, draw_prediction


@dataclass(frozen=True)
class Twin:
    """What a panel shows at one moment.

    Attributes:
        text: for terminals and readers of plain text.
        html: the same with pictures.
    """

    text: str
    html: str

    @classmethod
    def of_words(cls, words: str) -> Twin:
        """Return a twin that says only this."""
        return cls(words, f"<p>{html.escape(words)}</p>")

    @classmethod
    def of_code(cls, words: str, code: str) -> Twin:
        """Return a twin of a sentence and of code below it."""
        return cls(
            f"{words}\n\n{code}",
            f"<p>{html.escape(words)}</p><pre><code>{html.escape(code)}</code></pre>",
        )

    def titled(self, title: str) -> Twin:
        """Return the same under a heading."""
        line = f"{title}\n{'-' * len(title)}\n"
        return Twin(line + self.text, f"<h3>{html.escape(title)}</h3>{self.html}")


def join_twins(twins: Iterable[Twin]) -> Twin:
    """Return several twins as one, from top to bottom."""
    all_twins = tuple(twins)
    return Twin(
        "\n\n".join(twin.text for twin in all_twins), "".join(twin.html for twin in all_twins)
    )


def twin_losses(history: History, smoothing: float = 0.8, log_scale: bool = False) -> Twin:
    """Return the loss curve, and the last losses in words.

    Args:
        history: what to show.
        smoothing: strength of the smoothed line, from 0 to below 1.
        log_scale: whether the loss is drawn on a logarithmic scale.
    """
    losses = np.array(history.batch_losses, dtype=float)
    words = describe_losses(history, smooth(losses[np.isfinite(losses)], smoothing))
    if not len(losses):
        return Twin.of_words(words)
    picture = to_img(draw_losses(history, smoothing, log_scale), f"Loss curve. {words}")
    return Twin(words, f"{picture}<p>{html.escape(words)}</p>")


def twin_confusion(counts: Tensor | None, class_names: Sequence[str], noun: str) -> Twin:
    """Return the confusion matrix with accuracy, recall and precision.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`; None if nothing was evaluated.
        class_names: what the classes are called, in their order.
        noun: what a class is: `digit` or `class`.
    """
    if counts is None or not counts.any():
        return Twin.of_words("Nothing has been evaluated yet, so there is no confusion matrix.")
    accuracy = describe_accuracy(counts)
    words = html.unescape(re.sub("<.*?>", "", accuracy)) + "."
    picture = to_img(
        draw_confusion(counts, class_names, noun),
        f"Confusion matrix: a row for each true {noun}, a column for each predicted one. {words}",
    )
    measures = zip(class_names, recall(counts).tolist(), precision(counts).tolist(), strict=True)
    table = to_table(
        [noun.title(), "Recall", "Precision"],
        ([name, _write_share(of_true), _write_share(right)] for name, of_true, right in measures),
    )
    key = (
        f"Recall: the share of a {noun}'s images that were recognized. "
        "Precision: the share of a prediction that is right."
    )
    matrix = _write_confusion(counts, class_names, noun)
    return Twin(
        f"{words}\n{matrix}\n\n{key}\n{table.text}",
        f"{picture}<p>{accuracy}.</p><p>{key}</p>{table.html}",
    )


def twin_prediction(
    image: Tensor,
    probabilities: Tensor,
    class_names: Sequence[str],
    true_label: int | None,
    words: str,
) -> Twin:
    """Return one image with its classes' probabilities.

    Args:
        image: (28, 28) or (1, 28, 28), uint8 or floats in [0, 1].
        probabilities: (C,), which sum to 1.
        class_names: what the classes are called, in their order.
        true_label: the image's class, if it is known.
        words: what the network says of it.
    """
    picture = to_img(draw_prediction(image, probabilities, class_names, true_label), words)
    shares = zip(class_names, probabilities.tolist(), strict=True)
    lines = [f"{name}: {100 * share:.2f} %" for name, share in shares]
    return Twin("\n".join([words, *lines]), f"{picture}<p>{html.escape(words)}</p>")


def twin_images(
    images: Tensor, verdicts: Sequence[str], names: Sequence[str], num_columns: int, words: str
) -> Twin:
    """Return a page of images, each framed by what the network makes of it.

    Args:
        images: uint8 (N, 28, 28).
        verdicts: `"right"`, `"wrong"` or `""` for each.
        names: what each is called.
        num_columns: images side by side.
        words: what the page holds.
    """
    if not len(images):
        return Twin.of_words(words)
    wrong = [name for name, verdict in zip(names, verdicts, strict=True) if verdict == "wrong"]
    if any(verdicts):
        right = f"{list(verdicts).count('right')} right, {len(wrong)} wrong"
        words = f"{words}. On this page: {right}."
    else:
        words = f"{words}. The network has not been asked yet."
    picture = to_img(draw_images(images, verdicts, num_columns), words)
    items = "".join(f"<li>{html.escape(name)}</li>" for name in wrong)
    mistakes = f"<p>Wrong, framed in orange with a cross:</p><ul>{items}</ul>" if wrong else ""
    return Twin("\n".join([words, *wrong]), f"{picture}<p>{html.escape(words)}</p>{mistakes}")


def to_img(png: bytes, words: str) -> str:
    """Return an HTML image in the size it was drawn for; `words` stand in where it is unseen."""
    width = int.from_bytes(png[16:20], "big") // FINENESS  # where every PNG tells its width
    data = base64.b64encode(png).decode()
    alt = html.escape(words)
    return f'<p><img width="{width}" alt="{alt}" src="data:image/png;base64,{data}"></p>'


def tabulate_epochs(history: History, max_epochs: int | None = None) -> Twin:
    """Return a table of what each whole epoch brought.

    Args:
        history: what to show.
        max_epochs: how many epochs at most, the last; None for all.
    """
    num_epochs = history.num_epochs
    if not num_epochs:
        return Twin.of_words("No epoch has been trained to its end yet.")
    names = [name for name, values in history.items() if len(values) >= num_epochs]
    titles = [
        "epoch",
        *("mean loss" if name == "train" else name.replace("_", " ") for name in names),
    ]
    first = 0 if max_epochs is None else max(0, num_epochs - max_epochs)
    table = to_table(
        titles,
        (
            [str(at + 1), *(format_metric(name, history[name][at]) for name in names)]
            for at in range(first, num_epochs)
        ),
    )
    if not first:
        return table
    return join_twins([Twin.of_words(f"The last {max_epochs} of {num_epochs} epochs:"), table])


def to_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Twin:
    """Return a table whose first column names its rows."""
    lines = [list(titles), *map(list, rows)]
    head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
    body = "".join(
        f'<tr><th scope="row">{html.escape(first)}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in lines[1:]
    )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return Twin(text, f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def format_metric(name: str, value: float) -> str:
    """Return an accuracy in per cent, and any other metric as a loss is written."""
    return f"{100 * value:.2f} %" if "accuracy" in name else format_loss(value)


def _write_share(share: float) -> str:
    return "\N{EN DASH}" if math.isnan(share) else f"{format_percent(share)} %"


def _write_confusion(counts: Tensor, class_names: Sequence[str], noun: str) -> str:
    rows = zip(class_names, counts.tolist(), strict=True)
    table = to_table(["", *class_names], ([name, *map(str, row)] for name, row in rows))
    return f"A row for each true {noun}, a column for each predicted one:\n{table.text}"
