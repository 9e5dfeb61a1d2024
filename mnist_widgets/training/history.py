"""The results of a training: the loss of each batch, and the loss and metrics of each epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import os

    import pandas as pd

ACCURACIES = TRAIN_ACCURACY, TEST_ACCURACY = "train_accuracy", "test_accuracy"
"""The names of the accuracies among the metrics of an epoch; they are from 0 to 1."""


class History(dict[str, list[float]]):
    """Lists of each epoch's values by name, as the tutorial's `trainer` returns them.

    `history["train"]` holds the mean of the batch losses of each complete epoch. Each metric of the
    evaluator has its own list.

    Attributes:
        batch_losses: The loss of each batch.
        epoch_ends: For each complete epoch, the number of batches trained up to its end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batch_losses: list[float] = []
        self.epoch_ends: list[int] = []

    @property
    def num_epochs(self) -> int:
        """The number of complete epochs."""
        return len(self.epoch_ends)

    def find_last(self, name: str) -> float | None:
        """Return the value of the last complete epoch; None if it has none, or no number."""
        values, num_epochs = self.get(name, []), self.num_epochs
        is_there = 0 < num_epochs <= len(values) and math.isfinite(values[num_epochs - 1])
        return values[num_epochs - 1] if is_there else None

    def find(self, name: str, epoch: int) -> float:
        """Return the value of an epoch, counted from 1; NaN if it has none."""
        values = self.get(name, [])
        return values[epoch - 1] if epoch <= len(values) else math.nan

    def find_numbers(self, name: str) -> dict[int, float]:
        """Return the values of the complete epochs by epoch, in order, without NaN and infinity."""
        values = self.get(name, [])[: self.num_epochs]
        return {epoch: value for epoch, value in enumerate(values, 1) if math.isfinite(value)}

    @property
    def accuracy_gap(self) -> float | None:
        """Training accuracy minus test accuracy after the last epoch that has both.

        It is in percentage points. Both are rounded to a tenth of a per cent first: it is the
        difference of the numbers that are shown. None if no epoch has both.
        """
        train, test = self.find_numbers(TRAIN_ACCURACY), self.find_numbers(TEST_ACCURACY)
        epoch = max(train.keys() & test.keys(), default=None)
        return None if epoch is None else find_gap(train[epoch], test[epoch])

    def add_batch(self, loss: float) -> int:
        """Append the loss of one batch and return the number of batches."""
        self.batch_losses.append(loss)
        return len(self.batch_losses)

    def add_epoch(self, train_loss: float, metrics: Mapping[str, float] | None = None) -> None:
        """Append the mean loss and the metrics of one epoch.

        A metric gets the value NaN for the earlier epochs in which it was not measured.

        Raises:
            ValueError: A metric is called `train`, the name of the mean loss.
        """
        metrics = metrics or {}
        if "train" in metrics:
            raise ValueError("A metric cannot be called 'train': that is the mean training loss.")
        found = {"train": train_loss, **metrics}
        for name in found:
            self.setdefault(name, [])
        entries: dict[str, Any] = self  # those of the user's own may be anything
        for values in entries.values():
            if isinstance(values, list):
                values.extend([math.nan] * (self.num_epochs - len(values)))
        for name, value in found.items():
            self[name].append(value)
        self.epoch_ends.append(len(self.batch_losses))

    def to_dataframe(self, by: Literal["epoch", "batch"] = "epoch") -> pd.DataFrame:
        """Return the history as a table with one row for each epoch or batch, counted from 1.

        Args:
            by: `"epoch"` for one column for each name, `"batch"` for the column `loss`.

        Raises:
            ValueError: `by` is neither of these.
        """
        import pandas as pd  # takes a second to import

        if by not in ("epoch", "batch"):
            raise ValueError(f"by must be 'epoch' or 'batch', not {by!r}")
        columns = dict(self) if by == "epoch" else {"loss": self.batch_losses}
        table = pd.DataFrame(
            {name: pd.Series(column) for name, column in columns.items()}, dtype=float
        )
        table.index = pd.RangeIndex(1, len(table) + 1, name=by)
        return table

    def to_csv(
        self, path: str | os.PathLike[str] | None = None, by: Literal["epoch", "batch"] = "epoch"
    ) -> str:
        """Return `to_dataframe(by)` as comma-separated values.

        Args:
            path: a file to write them to as well.
            by: as for `to_dataframe`.
        """
        text: str = self.to_dataframe(by).to_csv()
        if path is not None:
            Path(path).write_text(text, encoding="utf-8", newline="")
        return text


def find_gap(train: float, test: float) -> float:
    """Return the gap of two accuracies; see `History.accuracy_gap`."""
    return round(round(100 * train, 1) - round(100 * test, 1), 1)
