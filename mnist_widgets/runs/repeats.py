"""Repeats: runs with the same settings and several seeds, and how far they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.training.history import TEST_ACCURACY, TRAIN_ACCURACY, History, find_gap

NUM_SEEDS = 5
"""Runs of a repeat. If two settings make no difference, the ranges of five runs of each lie apart
in 2 of 252 cases: ten ranks can be divided into two groups of five in 252 ways."""

Numbers: TypeAlias = NDArray[np.float64]


class Spread(NamedTuple):
    """The range and the median of the values of several runs; arrays (E,), one value an epoch."""

    low: Numbers
    median: Numbers
    high: Numbers


@dataclass(eq=False)
class Repeat:
    """The finished runs of several seeds.

    Attributes:
        seeds: of all runs.
        epochs: of each run.
        histories: of the runs that have finished, in the order of their seeds. One may grow: that
            of the last run, if it is trained on. Only its first `epochs` epochs count.
    """

    seeds: tuple[int, ...]
    epochs: int
    histories: tuple[History, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all runs have finished."""
        return len(self.histories) == len(self.seeds)

    def find_seed(self, history: History) -> int:
        """Return the seed of a finished run, or of the run that is not one of them."""
        places = [place for place, each in enumerate(self.histories) if each is history]
        place = places[0] if places else len(self.histories)
        return self.seeds[min(place, len(self.seeds) - 1)]

    def find_values(self, name: str) -> Numbers | None:
        """Return a metric's values (R, E) of R finished runs; None without a run or the metric."""
        rows = [history.get(name, [])[: self.epochs] for history in self.histories]
        is_there = bool(rows) and all(len(row) == self.epochs for row in rows)
        return np.array(rows, dtype=float) if is_there else None

    def find_spread(self, name: str) -> Spread | None:
        """Return the spread of a metric in each epoch; None without a run or the metric."""
        values = self.find_values(name)
        if values is None:
            return None
        return Spread(values.min(axis=0), np.median(values, axis=0), values.max(axis=0))

    @property
    def accuracy_gap(self) -> float | None:
        """The median of the runs' gaps after the last epoch, as `History.accuracy_gap`."""
        train, test = self.find_values(TRAIN_ACCURACY), self.find_values(TEST_ACCURACY)
        if train is None or test is None:
            return None
        gaps = [find_gap(*pair) for pair in zip(train[:, -1], test[:, -1], strict=True)]
        return float(np.median(gaps))

    @property
    def medians(self) -> History:
        """The median of each metric, as the history of one run; no epoch without a finished run."""
        medians = History()
        if not self.histories:
            return medians
        for name in self.histories[0]:
            if (spread := self.find_spread(name)) is not None:
                medians[name] = spread.median.tolist()
        medians.epoch_ends = self.histories[0].epoch_ends[: self.epochs]
        return medians


def choose_seeds(config: RunConfig) -> list[RunConfig]:
    """Return the settings of each run of a repeat: the seed of `config`, the next one, and so on.

    Raises:
        ValueError: if a seed is too large.
    """
    return [replace(config, seed=config.seed + index) for index in range(NUM_SEEDS)]


def are_apart(first: Repeat, second: Repeat) -> bool | None:
    """Return whether each run of one repeat beats each run of the other in the test.

    This compares the test accuracies after the last epoch. If the ranges have a value in common,
    the difference may be luck. None unless both repeats are complete and were evaluated.
    """
    ranges = [repeat.find_spread(TEST_ACCURACY) for repeat in (first, second)]
    if not (first.is_complete and second.is_complete):
        return None
    match ranges:
        case [Spread() as one, Spread() as other]:
            return bool(one.high[-1] < other.low[-1] or other.high[-1] < one.low[-1])
    return None


def name_seeds(seeds: Sequence[int]) -> str:
    """Return the seeds in words, such as `seeds 0 to 4`."""
    return f"seeds {seeds[0]} to {seeds[-1]}"
