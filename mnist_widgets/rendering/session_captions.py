"""The state and the progress of a session's training in words, and what was expected of it."""

from __future__ import annotations

import math

from mnist_widgets.rendering.captions import format_duration, format_loss, name_error
from mnist_widgets.rendering.confusion_captions import write_share
from mnist_widgets.session.series import RunSeries
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.session.states import State
from mnist_widgets.training.history import TEST_ACCURACY, History

STATE_WORDS: dict[State, str] = {
    "idle": "Ready",
    "running": "Training",
    "paused": "Paused",
    "finished": "Finished",
    "stopped": "Stopped",
    "failed": "Failed",
}
_CLOSED = "This session is closed; a newer one may train its model now."
_HOW_TO_STOP = (
    "The buttons do not work while this trains: to stop it, interrupt the kernel "
    "(in Colab: Runtime > Interrupt execution)."
)


def describe_progress(session: TrainingSession) -> str:
    """Return the last batch and its loss, and while a run is open the time left and the speed."""
    report, series = session.last_report, session.series
    parts = [name_run(series)] if series is not None and series.run_number else []
    if report is None:  # between two runs of a series for a moment
        return "".join(parts) or "No batch has been trained yet."
    parts += [
        f"Epoch {report.epoch} of {session.trainer.last_epoch}",
        f"batch {report.batch} of {report.num_batches}",
        f"batch loss {format_loss(report.loss)}",
    ]
    is_open = session.state in ("running", "paused")
    if is_open and session.progress:  # it has begun
        left_s = session.num_batches_left * session.throughput.seconds_per_batch
        parts.append(f"{format_duration(left_s)} left")
    if is_open and (speed := session.throughput.images_per_second):
        # two significant digits: the others change with every batch
        parts.append(f"{float(f'{speed:.2g}'):,.0f} images/s")
    return " · ".join(parts)


def name_run(series: RunSeries) -> str:
    """Return which run of a series is under way or was the last, such as `Run 2 of 5`."""
    return f"Run {series.run_number} of {series.num_runs}"


def choose_notice(session: TrainingSession, *, is_waiting: bool) -> tuple[str, bool]:
    """Return what is said beside the progress, if anything, and whether something is wrong.

    Args:
        session: the training.
        is_waiting: whether the thread that handles clicks waits for the training.
    """
    if (error := session.error) is not None:
        return name_error(error), True
    if session.state == "stopped" and session.trainer.stop_reason:
        report = session.last_report
        return session.trainer.stop_reason, not (report and math.isfinite(report.loss))
    if is_waiting:
        return _HOW_TO_STOP, False
    return _CLOSED if session.is_closed else " ".join(session.trainer.warnings), False


def describe_expectation(expected: float | None, history: History, subject: str = "it") -> str:
    """Return an expected test accuracy beside the last one that came; "" for none expected.

    Args:
        expected: 0 to 1; written in per cent with at most one decimal.
        history: of the run.
        subject: what the accuracy that came is called.
    """
    if expected is None:
        return ""
    accuracies, actual = history.find_numbers(TEST_ACCURACY), "no epoch was evaluated"
    if accuracies:
        epoch = max(accuracies)
        when = "" if epoch == history.num_epochs else f" after epoch {epoch:,}"
        actual = f"{subject} is {write_share(accuracies[epoch])}{when}"
    return f"You expected {f'{100 * expected:.1f}'.removesuffix('.0')} %; {actual}."
