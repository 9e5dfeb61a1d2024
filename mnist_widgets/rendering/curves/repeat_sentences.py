"""Repeats in words and tables: how far seeds differ, and whether two settings differ more."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_widgets.rendering.captions import format_loss, format_metric, is_accuracy, name_metric
from mnist_widgets.rendering.confusion_captions import write_share
from mnist_widgets.rendering.curves.repeat_series import MIN_RUNS, count_seeds, name_single
from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.runs.repeats import Repeat, are_apart
from mnist_widgets.runs.run_log import Run
from mnist_widgets.training.history import TEST_ACCURACY, History

_MAX_ROWS = 40  # of a table in the page


def describe_repeat(repeat: Repeat, name: str) -> str:
    """Return the median and the range of a metric after the last epoch; "" if there is no range."""
    spread = repeat.find_spread(name)
    if spread is None or len(repeat.histories) < MIN_RUNS:
        return ""
    write = write_share if is_accuracy(name) else format_loss
    low, median, high = (write(float(values[-1])) for values in spread)
    return (
        f"{name_metric(name)} after epoch {repeat.epochs:,}, {count_seeds(repeat)}: "
        f"median {median}, from {low} to {high}."
    )


def tabulate_repeat_page(repeat: Repeat, name: str) -> StaticView:
    """Return a table of a metric: a row for each of the last epochs, with its range and each run.

    Args:
        repeat: has a range of the metric.
        name: of the metric.
    """
    spread, values = repeat.find_spread(name), repeat.find_values(name)
    if spread is None or values is None:
        return StaticView.of_words("No run of this repeat has finished.")

    def write(numbers: Sequence[float]) -> list[str]:
        return [format_metric(name, float(number)) for number in numbers]

    low, median, high = spread
    rows = [
        [str(epoch + 1), *write([low[epoch], median[epoch], high[epoch], *values[:, epoch]])]
        for epoch in range(max(0, repeat.epochs - _MAX_ROWS), repeat.epochs)
    ]
    seeds = [f"Seed {seed}" for seed in repeat.seeds[: len(values)]]
    caption = f"{name_metric(name)} with {count_seeds(repeat)}, after each epoch."
    return StaticView.of_table(["Epoch", "Lowest", "Median", "Highest", *seeds], rows, caption)


def label_single(view: StaticView, repeat: Repeat, history: History) -> StaticView:
    """Return a view of one run of a repeat with its seed above it."""
    name = name_single(repeat, history).capitalize()
    return join_views([StaticView.of_words(f"{name}:"), view])


def describe_range(repeat: Repeat) -> str:
    """Return how many runs finished, their test accuracies after the last epoch, and what else."""
    seeds = count_seeds(repeat)
    finished = seeds if repeat.is_complete else f"{seeds} finished"
    if not repeat.histories:
        return f"{finished}: the numbers are those of the first."
    if _has_range(repeat):
        finished += f": {_write_range(repeat)} after the last epoch"
    return f"{finished}. Accuracy and gap are medians, the time is that of all runs."


def compare_repeats(runs: Sequence[Run]) -> list[str]:
    """Compare the newest complete repeat with each other one that is shown; a sentence for each."""
    complete = [run for run in runs if run.repeat is not None and run.repeat.is_complete]
    return [
        sentence
        for other in complete[:-1]
        if other.is_shown and (sentence := _compare(other, complete[-1]))
    ]


def _compare(first: Run, second: Run) -> str:
    if first.repeat is None or second.repeat is None:
        return ""
    is_apart = are_apart(first.repeat, second.repeat)
    if is_apart is None:
        return ""
    ranges = "; ".join(
        f"run {run.number}, {count_seeds(run.repeat)}: {_write_range(run.repeat)}"
        for run in (first, second)
        if run.repeat is not None
    )
    if not is_apart:
        verdict = "The ranges overlap, so the difference may be luck."
    else:
        better, worse = first, second
        if _find_lowest(second.repeat) > _find_lowest(first.repeat):
            better, worse = second, first
        verdict = (
            f"The ranges do not overlap: each seed of run {better.number} is better than each seed "
            f"of run {worse.number}. The settings differ by more than their seeds do."
        )
    return f"Test accuracy after the last epoch: {ranges}. {verdict}"


def _has_range(repeat: Repeat) -> bool:
    return repeat.find_spread(TEST_ACCURACY) is not None and len(repeat.histories) >= MIN_RUNS


def _find_lowest(repeat: Repeat) -> float:
    spread = repeat.find_spread(TEST_ACCURACY)
    return 0.0 if spread is None else float(spread.low[-1])


def _write_range(repeat: Repeat) -> str:
    """Return the range of the test accuracies after the last epoch; "" without them."""
    spread = repeat.find_spread(TEST_ACCURACY)
    if spread is None:
        return ""
    return f"{100 * spread.low[-1]:.2f} to {100 * spread.high[-1]:.2f} %"
