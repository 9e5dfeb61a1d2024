"""The log of runs: their settings, histories and times, and which of them are compared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from mnist_widgets.runs.choices import format_number
from mnist_widgets.runs.repeats import Repeat, name_seeds
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.schedules import read_rate
from mnist_widgets.runs.settings import SETTINGS
from mnist_widgets.system.listeners import HasListeners
from mnist_widgets.training.history import TEST_ACCURACY, History
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.reports import BatchReport, EpochReport
from mnist_widgets.training.trainer import Trainer

MAX_RUNS = 8
"""Runs that a log keeps; a new one replaces the oldest."""
MAX_EARLIER_SHOWN = 4
"""Runs that a chart can show beside the current one, so that their lines stay distinct."""


@dataclass(eq=False)
class Run:
    """One run, under way or ended; or the runs of a repeat.

    Attributes:
        number: its place among all runs of its log, from 1; not used twice.
        config: the settings that it began with; None for the user's own parts. Those of a repeat
            have the first seed.
        history: its losses and metrics; in a repeat, those of the newest run.
        duration_s: seconds of training, without evaluations and pauses.
        learning_rates: those of its batches, in order; several if the rate was changed.
        is_shown: whether the chart shows it.
        expected_accuracy: the test accuracy that a person expected, 0 to 1; None without one.
        repeat: its finished runs, if it is a repeat.
    """

    number: int
    config: RunConfig | None
    history: History
    duration_s: float = 0.0
    learning_rates: list[float] = field(default_factory=list)
    is_shown: bool = True
    expected_accuracy: float | None = None
    repeat: Repeat | None = None

    @property
    def outcome(self) -> History:
        """Its history; the medians of the finished runs of a repeat, as soon as there is one."""
        repeat = self.repeat
        return repeat.medians if repeat is not None and repeat.histories else self.history

    @property
    def best_accuracy(self) -> float | None:
        """The best test accuracy of its epochs, 0 to 1; None before there is one."""
        return max(self.outcome.find_numbers(TEST_ACCURACY).values(), default=None)

    @property
    def accuracy_gap(self) -> float | None:
        """Its gap, see `History.accuracy_gap`; the median of a repeat as soon as there is one."""
        repeat = self.repeat
        has_median = repeat is not None and repeat.histories
        return repeat.accuracy_gap if repeat and has_median else self.history.accuracy_gap

    @property
    def latest_config(self) -> RunConfig | None:
        """Its settings with the latest learning rate."""
        return self.config and replace(self.config, learning_rate=self.learning_rates[-1])

    def to_words(self) -> dict[str, str]:
        """Return its settings as `RunConfig.to_words` does, with all its learning rates."""
        words = {} if self.config is None else self.config.to_words()
        if rates := list(self.learning_rates):
            words["learning_rate"] = f"lr {' → '.join(map(format_number, rates))}"
        if self.repeat is not None:
            words["seed"] = name_seeds(self.repeat.seeds)
        return words


def describe_runs(runs: Sequence[Run]) -> list[str]:
    """Name each of several runs by the settings that differ, such as `lr 0.1`.

    Returns:
        A label for each run, all different: runs with equal settings also get a number, such as
        `run 2`.
    """
    words = [run.to_words() for run in runs]
    names = [setting.name for setting in SETTINGS]
    differing = [name for name in names if len({each[name] for each in words if name in each}) > 1]
    labels = [", ".join(each[name] for name in differing if name in each) for each in words]
    return [
        label if label and labels.count(label) == 1 else f"{label}, run {run.number}".lstrip(", ")
        for label, run in zip(labels, runs, strict=True)
    ]


def name_runs(runs: Sequence[Run]) -> dict[int, str]:
    """Return a name of each run by its number, such as `run 2` or `run 2: lr 0.1`."""
    names = {}
    for run, label in zip(runs, describe_runs(runs), strict=True):
        number = f"run {run.number}"
        names[run.number] = label if label.endswith(number) else f"{number}: {label}"
    return names


class RunLog(HasListeners):
    """The last runs, and which of them are shown.

    It calls its listeners when a run begins, ends an epoch, or is shown, hidden or deleted.

    Example:
        ```python
        log = RunLog()
        trainer = config.build(train_set, test_set, callbacks=[log.record()])
        trainer.fit(10)
        log.runs[-1].best_accuracy
        ```

    Attributes:
        expected_accuracy: the test accuracy that a person expects of the next run, or of the
            current one if that is trained on; 0 to 1, or None. Set it before the training starts.
        runs: the last `MAX_RUNS` runs, in the order in which they began.
        current: the run under way or just ended; None from a reset to the next batch.
    """

    def __init__(self) -> None:
        super().__init__()
        # Runs begin in the training's thread, and are shown and deleted in the main thread.
        self._changing = threading.RLock()
        self.runs: tuple[Run, ...] = ()
        self.current: Run | None = None
        self._num_begun = 0
        self._repeat: Repeat | None = None  # under way
        self.expected_accuracy: float | None = None

    @property
    def earlier_shown(self) -> tuple[Run, ...]:
        """The runs shown beside the current one, `MAX_EARLIER_SHOWN` at most."""
        return tuple(run for run in self.runs if run.is_shown and run is not self.current)

    def record(self) -> Callback:
        """Return a callback that records a trainer's runs, with the settings in `trainer.config`.

        A run begins with the trainer's first batch, and the next one with the first batch after a
        reset. The run before is then no longer the current one.
        """
        self.close_current()
        return _Recorder(self)

    def record_repeat(
        self, configs: Sequence[RunConfig], build: Callable[[RunConfig], Trainer], epochs: int
    ) -> Generator[Trainer, None, None]:
        """Yield a trainer for each of the settings; the log keeps their runs as one.

        The next trainer is built when the one before has finished. Close the generator if it does
        not finish.

        Args:
            configs: the settings, which differ in their seeds.
            build: returns a trainer whose runs this log records.
            epochs: how many each trainer is trained.
        """
        self.close_current()
        repeat = Repeat(tuple(config.seed for config in configs), epochs)
        self._repeat = repeat
        try:
            for config in configs:
                trainer = build(config)
                yield trainer
                repeat.histories = (*repeat.histories, trainer.history)
                self.call_listeners()
        finally:
            self._repeat = None

    def begin(self, config: RunConfig | None, history: History, learning_rate: float) -> Run:
        """Add a new run, make it the current one, and return it; that of a repeat goes on."""
        with self._changing:
            if (current := self.current) is not None and current.repeat is self._repeat is not None:
                current.history = history
                return current
            self._num_begun += 1
            run = Run(self._num_begun, config, history, learning_rates=[learning_rate])
            run.expected_accuracy, run.repeat = self.expected_accuracy, self._repeat
            self.current = run
            self.runs = (*self.runs, run)[-MAX_RUNS:]
            self._hide_surplus()
        self.call_listeners()
        return run

    def end_current(self) -> None:
        """Make the current run one of the earlier ones, unless it is a repeat under way."""
        if self._repeat is None:
            self.close_current()

    def close_current(self) -> None:
        """Make the current run one of the earlier ones."""
        with self._changing:
            self.current = None
            self._hide_surplus()
        self.call_listeners()

    def show(self, number: int, is_shown: bool = True) -> None:
        """Show or hide a run; the current one stays shown.

        If too many runs are shown then, this hides the oldest of the others.
        """
        with self._changing:
            for run in self.runs:
                if run.number == number and run is not self.current:
                    run.is_shown = is_shown
                    self._hide_surplus(spared=run)
        self.call_listeners()

    def delete(self, number: int) -> None:
        """Delete a run, unless it is the current one."""
        with self._changing:
            self.runs = tuple(
                run for run in self.runs if run.number != number or run is self.current
            )
        self.call_listeners()

    def _hide_surplus(self, spared: Run | None = None) -> None:
        num_surplus = len(self.earlier_shown) - MAX_EARLIER_SHOWN
        for run in [run for run in self.earlier_shown if run is not spared][: max(num_surplus, 0)]:
            run.is_shown = False


class _Recorder(Callback):
    """Records the runs of one trainer in a log."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._run: Run | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        """Keep the newest expectation with a run that is trained on; a repeat keeps its own."""
        if self._run is not None and self._run.repeat is None:
            self._run.expected_accuracy = self._log.expected_accuracy

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Begin the run with its first batch; add the time, and a learning rate that is new."""
        rate = read_rate(trainer.optimizer)
        if self._run is None or self._run.history is not trainer.history:
            config = trainer.config if isinstance(trainer.config, RunConfig) else None
            # the learning rate may have been changed since the trainer was built
            config = config and replace(config, learning_rate=rate)
            self._run = self._log.begin(config, trainer.history, rate)
        run = self._run
        run.duration_s += report.duration_s
        if run.learning_rates[-1] != rate:
            run.learning_rates.append(rate)
            self._log.call_listeners()

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Call the listeners: the run has new losses and metrics."""
        self._log.call_listeners()

    def on_train_end(self, trainer: Trainer) -> None:
        """Call the listeners: the run's time has changed since the last epoch."""
        self._log.call_listeners()

    def on_reset(self, trainer: Trainer) -> None:
        """Begin another run with the next batch."""
        self._run = None
        self._log.end_current()
