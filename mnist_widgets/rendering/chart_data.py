"""The numbers behind each chart as a pandas table, for files and for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.rendering.confusion_captions import write_share
from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.runs.repeats import Repeat
from mnist_widgets.training.evaluation.measures import precision, recall
from mnist_widgets.training.history import ACCURACIES, History

if TYPE_CHECKING:
    import pandas as pd


def tabulate_losses(history: History) -> pd.DataFrame:
    """Return a row for each batch: its loss, and the epoch's metrics at the epoch's last batch."""
    ends = list(history.epoch_ends)  # read first: a training may add an epoch meanwhile
    epochs = history.to_dataframe("epoch").iloc[: len(ends)]
    names = ["batch", "loss", "epoch"]  # taken, if a metric is called so
    for column in epochs.columns:
        name = "mean loss of the epoch" if column == "train" else column
        while name in names:
            name += " (metric)"
        names.append(name)
    epochs = epochs.set_axis(names[3:], axis="columns")
    epochs.insert(0, "epoch", epochs.index)
    epochs.index = ends
    # Int64 has a value for "none", so that the numbers of the epochs stay whole
    return history.to_dataframe("batch").join(epochs).astype({"epoch": "Int64"})


def tabulate_accuracies(history: History) -> pd.DataFrame:
    """Return a row for each epoch: its last batch, and its accuracies from 0 to 1."""
    ends = list(history.epoch_ends)  # read first: a training may add an epoch meanwhile
    table = history.to_dataframe("epoch").iloc[: len(ends)]
    names = [name for name in ACCURACIES if name in table]
    table = table[names]
    table.insert(0, "batch", ends)
    return table


def join_repeat(table: pd.DataFrame, seed: int, repeat: Repeat, name: str) -> pd.DataFrame:
    """Return a table of one run with a metric of all finished runs of its repeat.

    The columns of the run name its seed, such as `loss seed 4`.

    At the last batch of each epoch there is a column for each finished run, such as
    `test_loss seed 3`, and the lowest, the median and the highest of these numbers.

    Args:
        table: with a row for each batch, or for each epoch.
        seed: of the run in the table.
        repeat: the finished runs.
        name: of the metric.
    """
    import pandas as pd

    columns_of_run = [column for column in table if column not in ("batch", "epoch")]
    table = table.rename(columns={column: f"{column} seed {seed}" for column in columns_of_run})
    values, spread = repeat.find_values(name), repeat.find_spread(name)
    if values is None or spread is None:
        return table
    columns = {f"{name} seed {seed}": row for seed, row in zip(repeat.seeds, values, strict=False)}
    columns = {column: row for column, row in columns.items() if column not in table}
    columns |= {f"{name} {word}": row for word, row in spread._asdict().items()}
    index = pd.RangeIndex(1, values.shape[1] + 1)
    if table.index.name == "batch":
        index = pd.Index(repeat.histories[0].epoch_ends[: values.shape[1]])
    joined = table.join(pd.DataFrame(columns, index), how="outer")
    return joined.rename_axis(table.index.name)


def tabulate_confusion(counts: Tensor | None, class_names: Sequence[str]) -> pd.DataFrame:
    """Return a row for each true class: its counts, its recall and its precision.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`; None if nothing was evaluated.
        class_names: in the order of the counts.
    """
    import pandas as pd

    columns = [f"predicted {name}" for name in class_names]
    index = pd.Index(class_names, name="true")
    if counts is None:
        return pd.DataFrame(columns=[*columns, "recall", "precision"], index=index[:0])
    table = pd.DataFrame(counts.numpy(), index, columns)
    return table.assign(recall=recall(counts).numpy(), precision=precision(counts).numpy())


def tabulate_prediction(probabilities: Tensor | None, class_names: Sequence[str]) -> pd.DataFrame:
    """Return the probability of each class.

    Args:
        probabilities: (C,); None without an image.
        class_names: in the order of the probabilities.
    """
    import pandas as pd

    shares = [] if probabilities is None else probabilities.tolist()
    index = pd.Index(class_names[: len(shares)], name="class")
    return pd.DataFrame({"probability": shares}, index)


def tabulate_images(digit_set: DigitSet, probabilities: Tensor, indices: Tensor) -> pd.DataFrame:
    """Return a row for each image: its classes, and the probability of the predicted one.

    If labels of the set are wrong, there is also a column of the labels.

    Args:
        digit_set: the images and their labels.
        probabilities: float32 (N, C), for all images of the set; zeros before a prediction.
        indices: int64 (M,), the positions of the images.
    """
    import pandas as pd

    names = digit_set.class_names
    shares, predicted = probabilities[indices].max(dim=1)
    labels = digit_set.original_labels[indices]
    table = pd.DataFrame(
        {
            "true": [names[label] for label in labels.tolist()],
            "predicted": [names[label] for label in predicted.tolist()],
            "probability": shares.numpy(),
            "right": (labels == predicted).tolist(),
        },
        pd.Index(indices.tolist(), name="image"),
    )
    # a network that has diverged has a probability, NaN, but it predicts nothing
    for column, is_there in (
        ("predicted", shares > 0),
        ("probability", shares != 0),
        ("right", shares > 0),
    ):
        table[column] = table[column].astype(object).where(is_there.numpy(), None)
    if not digit_set.labels.equal(digit_set.original_labels):
        given = digit_set.labels[indices].tolist()
        table.insert(1, "label", [names[label] for label in given])
    return table


def write_html(table: pd.DataFrame, caption: str = "") -> str:
    """Return a table as HTML, with a header for each row and each column.

    Args:
        table: its numbers with a fraction are shares.
        caption: explains it.
    """
    if table.empty:
        return "<p>There are no numbers to show.</p>"
    titles = [str(table.index.name), *map(str, table.columns)]
    rows = [list(map(_write_cell, row)) for row in table.reset_index().itertuples(index=False)]
    return StaticView.of_table([title.capitalize() for title in titles], rows, caption).html


def _write_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else write_share(value)
    return str(value)
