"""What a training run leaves behind: the loss of every batch and the values of every epoch.

Only numbers and their export; who draws them is not decided here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import os

    import pandas as pd


class History(dict[str, list[float]]):
    """Each epoch's values by name, as the tutorial's `trainer` returns them; every batch's loss.

    `history["train"]` holds the mean of the batch losses, one number for each whole epoch; every
    metric of the evaluator has its own list.

    Attributes:
        batch_losses: the loss of every batch, the first one at index 0.
        epoch_ends: for each whole epoch the number of batches trained up to its end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batch_losses: list[float] = []
        self.epoch_ends: list[int] = []

    @property
    def num_epochs(self) -> int:
        """Whole epochs so far."""
        return len(self.epoch_ends)

    def add_batch(self, loss: float) -> int:
        """Append the loss of one batch and return how many there are now."""
        self.batch_losses.append(loss)
        return len(self.batch_losses)

    def add_epoch(self, train_loss: float, metrics: Mapping[str, float] | None = None) -> None:
        """Append one epoch's mean loss and its metrics; NaN stands for those of earlier epochs.

        Raises:
            ValueError: if a metric bears the name `train`, which is the mean loss's.
        """
        metrics = metrics or {}
        if "train" in metrics:
            raise ValueError("A metric cannot be called 'train': that is the mean training loss.")
        for name, value in {"train": train_loss, **metrics}.items():
            values = self.setdefault(name, [])
            values.extend([math.nan] * (self.num_epochs - len(values)))
            values.append(value)
        self.epoch_ends.append(len(self.batch_losses))

    def to_dataframe(self, by: Literal["epoch", "batch"] = "epoch") -> pd.DataFrame:
        """Return the history as a table, one row for each epoch or for each batch, counted from 1.

        Args:
            by: `"epoch"` for a column for each name, `"batch"` for the column `loss`.

        Raises:
            ValueError: if `by` is neither.
        """
        import pandas as pd  # a second to import, and only tables need it

        if by not in ("epoch", "batch"):
            raise ValueError(f"by must be 'epoch' or 'batch', not {by!r}")
        table = (
            pd.DataFrame({name: pd.Series(values) for name, values in self.items()})
            if by == "epoch"
            else pd.DataFrame({"loss": self.batch_losses}, dtype=float)
        )
        table.index = pd.RangeIndex(1, len(table) + 1, name=by)
        return table

    def to_csv(self, path: str | os.PathLike[str], by: Literal["epoch", "batch"] = "epoch") -> None:
        """Write `to_dataframe(by)` to a file of comma-separated values."""
        self.to_dataframe(by).to_csv(Path(path))
