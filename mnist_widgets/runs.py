"""What runs left behind: their settings, histories and times, and which of them are compared.

The settings themselves are left to `run_config`, drawing to the panels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mnist_widgets.history import History
from mnist_widgets.listeners import Listeners
from mnist_widgets.reports import BatchReport, EpochReport
from mnist_widgets.run_config import SETTINGS, RunConfig, format_number
from mnist_widgets.training import Callback, Trainer

MAX_RUNS = 8
"""Runs that a log keeps; the oldest makes room for a new one."""
MAX_EARLIER_SHOWN = 4
"""Runs beside the current one that a reader of one chart can still tell apart."""


@dataclass(eq=False)
class Run:
    """What is known of one run, while it goes on and afterwards.

    Attributes:
        number: its place among all runs of its log, from 1; never given again.
        config: the settings it began with; None if they are the user's own.
        history: its losses and metrics.
        duration_s: seconds of training, without evaluations and pauses.
        learning_rates: those it was trained with, in turn; several if it was changed meanwhile.
        is_shown: whether it is to be seen in the chart.
    """

    number: int
    config: RunConfig | None
    history: History
    duration_s: float = 0.0
    learning_rates: list[float] = field(default_factory=list)
    is_shown: bool = True

    @property
    def best_accuracy(self) -> float | None:
        """The best test accuracy of its epochs, 0 to 1; None before there is one."""
        return max(self.history.get("test_accuracy", []), default=None)

    def to_words(self) -> dict[str, str]:
        """Return its settings as `RunConfig.to_words` does, with a change of the learning rate."""
        words = dict.fromkeys(SETTINGS, "") if self.config is None else self.config.to_words()
        rates = list(self.learning_rates)
        if len(rates) > 1:
            words["learning_rate"] = f"lr {' → '.join(map(format_number, rates))}"
        return words


def describe_runs(runs: Sequence[Run]) -> list[str]:
    """Name for each of several runs only what sets it apart, such as `lr 0.1`.

    Returns:
        A label for each, no two alike: where the settings are, a number such as `run 2` is added.
    """
    return _label_differences([run.to_words() for run in runs], [run.number for run in runs])


def _label_differences(runs: Sequence[Mapping[str, str]], numbers: Iterable[int]) -> list[str]:
    differing = [name for name in SETTINGS if len({words[name] for words in runs}) > 1]
    labels = [", ".join(words[name] for name in differing) for words in runs]
    return [
        label if label and labels.count(label) == 1 else f"{label}, run {number}".lstrip(", ")
        for label, number in zip(labels, numbers, strict=True)
    ]


class RunLog:
    """The last runs of a dashboard, and which of them are shown.

    Example:
        ```python
        log = RunLog()
        trainer = config.build(train_set, test_set, callbacks=[log.record(config)])
        trainer.fit(10)
        log.runs[-1].best_accuracy
        ```

    """

    def __init__(self) -> None:
        self._changing = threading.RLock()  # runs begin in one thread and are deleted in another
        self._runs: tuple[Run, ...] = ()
        self._num_begun = 0
        self._current: Run | None = None
        self._listeners = Listeners()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The last `MAX_RUNS` runs, in the order in which they began."""
        return self._runs

    @property
    def current(self) -> Run | None:
        """The run under way or just ended; None after a reset, until the next batch."""
        return self._current

    @property
    def earlier_shown(self) -> tuple[Run, ...]:
        """The runs to be seen beside the current one, `MAX_EARLIER_SHOWN` at most."""
        return tuple(run for run in self._runs if run.is_shown and run is not self._current)

    def record(self, config: RunConfig | None) -> Callback:
        """Return a callback that enters into this log what becomes of a trainer.

        A run begins with the trainer's first batch, and another one with the first batch after a
        reset. The run before is not the current one any more.

        Args:
            config: what the trainer was built from; None for the user's own parts.
        """
        self.close_current()
        return _Recorder(self, config)

    def begin(self, config: RunConfig | None, history: History) -> Run:
        """Enter a new run, the current one from now on, and return it."""
        with self._changing:
            self._num_begun += 1
            run = self._current = Run(self._num_begun, config, history)
            self._runs = (*self._runs, run)[-MAX_RUNS:]
            self._hide_surplus()
        self.notify()
        return run

    def close_current(self) -> None:
        """Make the current run one of the earlier ones."""
        with self._changing:
            self._current = None
            self._hide_surplus()
        self.notify()

    def show(self, number: int, is_shown: bool = True) -> None:
        """Show or hide a run; the current one stays shown.

        Where that makes too many, the oldest of the others is hidden.
        """
        with self._changing:
            run = self._find(number)
            if run is not None:
                run.is_shown = is_shown
                self._hide_surplus(spared=run)
        self.notify()

    def delete(self, number: int) -> None:
        """Forget a run; the current one stays."""
        with self._changing:
            run = self._find(number)
            self._runs = tuple(other for other in self._runs if other is not run)
        self.notify()

    def notify(self) -> None:
        """Tell all listeners that something changed."""
        self._listeners.call()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when a run begins, ends an epoch, is shown, hidden or deleted.

        It is called in whichever thread made the change: it should note that something changed,
        and return.
        """
        self._listeners.add(listener)

    def remove_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._listeners.remove(listener)

    def _find(self, number: int) -> Run | None:
        """Return the run of this number unless it is unknown or the current one."""
        found = (run for run in self._runs if run.number == number and run is not self._current)
        return next(found, None)

    def _hide_surplus(self, spared: Run | None = None) -> None:
        num_surplus = len(self.earlier_shown) - MAX_EARLIER_SHOWN
        for run in [run for run in self.earlier_shown if run is not spared][: max(num_surplus, 0)]:
            run.is_shown = False


class _Recorder(Callback):
    """Enters into a log what becomes of one trainer."""

    def __init__(self, log: RunLog, config: RunConfig | None) -> None:
        self._log = log
        self._config = config
        self._run: Run | None = None

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Begin the run with its first batch; add the time, and a learning rate that is new."""
        rate = float(trainer.optimizer.param_groups[0]["lr"])
        if self._run is None or self._run.history is not trainer.history:
            config = self._config and replace(self._config, learning_rate=rate)
            self._run = self._log.begin(config, trainer.history)
        run = self._run
        run.duration_s += report.duration_s
        if run.learning_rates[-1:] != [rate]:
            run.learning_rates.append(rate)
            self._log.notify()

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Tell of what the epoch brought."""
        self._log.notify()

    def on_train_end(self, trainer: Trainer) -> None:
        """Tell of the last batches."""
        self._log.notify()

    def on_reset(self, trainer: Trainer) -> None:
        """Let the next batch begin another run."""
        self._run = None
        self._log.close_current()
