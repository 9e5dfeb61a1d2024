"""Observe a training, and report what is wrong with it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from mnist_widgets.training.health.data_signs import (
    ENOUGH_IMAGES,
    INPUT_SIGNS,
    LABEL_SIGN,
    wants_more_images,
)
from mnist_widgets.training.health.finding import Finding, Sign, StepSign
from mnist_widgets.training.health.loss_signs import LOSS_SIGNS, NOT_FINITE, OVERFITTING
from mnist_widgets.training.health.observations import Observations
from mnist_widgets.training.health.step_signs import STEP_SIGNS
from mnist_widgets.training.health.unit_signs import DEAD_UNITS
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.reports import BatchReport, EpochReport
from mnist_widgets.training.trainer import Trainer

_RECORDED = (1, 10)
_RECORD_EVERY = 50
_CHECK_EVERY = 10
_FIRST_LOOK_AT_UNITS = 200  # batches, in an epoch that is so long; else at its end


class HealthMonitor(Callback):
    """Find signs of a sick training while it runs, each with numbers and advice.

    It reads the loss of each batch, the images that the model receives first, and a record of the
    first, the tenth and every fiftieth step; after something suspicious, of the next one too. It
    changes nothing in the training.

    Example:
        ```python
        monitor = HealthMonitor()
        Trainer(model, loss_fn, optimizer, batches, callbacks=[monitor]).fit(1)
        monitor.findings
        ```

    Attributes:
        findings: of the latest run, each name once; a reset removes them.
        errors: for each sign that could not be checked in this run, the error, by its name. An
            unusual model never makes the training fail.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.errors: dict[str, Exception] = {}
        self._seen: Observations | None = None
        self._streaks: Counter[str] = Counter()
        self._last_recorded_step = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Forget the last run, and request a record of the first batch."""
        self._begin(trainer)
        trainer.record_next(in_full=False)

    def on_reset(self, trainer: Trainer) -> None:
        """Forget the findings."""
        self._forget()
        self.findings = []

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Check for signs in the batch, and request a record of the next one if it is needed."""
        seen = self._seen or self._begin(trainer)
        seen.add(report)
        # most batches end here, with little code: code that is rarely run is slow
        if not math.isfinite(report.loss):
            self._check(seen, [NOT_FINITE])
        if report.record is not None:
            self._attempt("observations", seen.add_record, report.record)
            self._check_step(seen)
            self._check(seen, INPUT_SIGNS)
        is_end = report.batch == report.num_batches
        if is_end or seen.num_batches % _CHECK_EVERY == 0:
            is_long_enough = is_end and report.batch >= _CHECK_EVERY
            if is_long_enough or seen.num_batches == _FIRST_LOOK_AT_UNITS:
                self._check(seen, [DEAD_UNITS])
            self._check(seen, [LABEL_SIGN, *LOSS_SIGNS])
        if self._wants_record(seen):
            trainer.record_next(in_full=False)

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Check for signs in the metrics."""
        if self._seen is not None:
            self._check(self._seen, [OVERFITTING])

    def on_train_end(self, trainer: Trainer) -> None:
        """Forget the images and records, which need memory."""
        self._forget()

    def _forget(self) -> None:
        if self._seen is not None:
            self._seen.stop_watching()
        self._seen = None

    def _begin(self, trainer: Trainer) -> Observations:
        self._forget()
        self.findings, self.errors = [], {}
        self._streaks.clear()
        self._last_recorded_step = 0
        self._seen = Observations(trainer)
        self._attempt("test images", self._seen.read_test_images)
        self._attempt("inputs", self._seen.watch_inputs)
        return self._seen

    def _wants_record(self, seen: Observations) -> bool:
        number = seen.num_batches + 1
        if number in _RECORDED or number % _RECORD_EVERY == 0:
            return True
        if any(self._streaks.values()):
            return True
        return seen.num_kept < ENOUGH_IMAGES and bool(
            self._attempt("more images", wants_more_images, seen)
        )

    def _check(self, seen: Observations, signs: Iterable[Sign]) -> None:
        for sign in signs:
            if sign.name not in seen.names and sign.name not in self.errors:
                evidence = self._attempt(sign.name, sign.find, seen)
                if evidence is not None:
                    self._report(seen, sign, evidence)

    def _check_step(self, seen: Observations) -> None:
        """Report the signs that enough steps in a row have shown."""
        record, report = seen.record, seen.report
        if record is None or report is None:
            return
        if report.step != self._last_recorded_step + 1:
            self._streaks.clear()
        self._last_recorded_step = report.step
        for sign in STEP_SIGNS:
            if sign.name not in seen.names and sign.name not in self.errors:
                evidence = self._attempt(sign.name, sign.find, record, seen)
                self._streaks[sign.name] = self._streaks[sign.name] + 1 if evidence else 0
                if evidence is not None and self._streaks[sign.name] >= sign.count_steps(seen):
                    self._report(seen, sign, evidence)
                    del self._streaks[sign.name]

    def _attempt(self, name: str, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - of any function
        """Return the function's result; after an error, keep the error and return None."""
        try:
            return function(*arguments)
        except Exception as error:
            self.errors[name] = error
            return None

    def _report(self, seen: Observations, sign: Sign | StepSign, evidence: str) -> None:
        seen.names.add(sign.name)
        epoch, batch = (seen.report.epoch, seen.report.batch) if seen.report else (0, 0)
        self.findings.append(Finding(sign.name, epoch, batch, evidence, sign.advice))
