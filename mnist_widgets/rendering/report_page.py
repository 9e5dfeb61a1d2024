"""One self-contained HTML page about a training: its settings, its course and its end.

It shows numbers that exist already: it does not wait for the training or run the network.
"""

from __future__ import annotations

import html
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from torch.nn.parameter import UninitializedParameter

from mnist_widgets.data.digit_set import DIGIT_NAMES, Batches, DigitSet, find_class_names
from mnist_widgets.rendering.captions import format_metric, name_error
from mnist_widgets.rendering.curves.quantities import ACCURACY, LOSS, Quantity
from mnist_widgets.rendering.session_captions import name_run
from mnist_widgets.rendering.static_views import (
    StaticView,
    join_views,
    render_confusion,
    tabulate_epochs,
)
from mnist_widgets.runs.choices import format_number
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.schedules import read_rates
from mnist_widgets.session.series import RunSeries
from mnist_widgets.system.short_text import name_callable
from mnist_widgets.training.evaluation.evaluator import Evaluator
from mnist_widgets.training.history import TEST_ACCURACY, History
from mnist_widgets.training.models import unwrap
from mnist_widgets.training.trainer import Trainer

if TYPE_CHECKING:
    import os

_ENDINGS: Mapping[str, str] = {
    "idle": "The training is not running.",
    "running": "The training was still running when this page was made.",
    "paused": "The training was paused when this page was made.",
    "finished": "The training finished: all its epochs were trained.",
    "stopped": "The training was stopped before its end.",
    "failed": "The training failed.",
}
_CSS = """\
body { max-width: 46em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 sans-serif; color: #212121;
  background: white; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; }
th, td { padding: .1em .9em .1em 0; border-bottom: 1px solid #e0e0e0; text-align: right; }
th:first-child { text-align: left; }
pre { white-space: pre-wrap; padding: .8em; background: #f5f5f5; }
h2 { break-after: avoid; }
img, table, pre { break-inside: avoid; }
"""


@dataclass(frozen=True)
class ReportPage:
    """A page to show in the notebook, to save, or to print.

    Attributes:
        title: the page's heading.
        body: its content in HTML.
        text: the same in plain text, without pictures.
    """

    title: str
    body: str
    text: str

    @property
    def html(self) -> str:
        """The whole page, which needs no other file."""
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{html.escape(self.title)}</title>\n<style>\n{_CSS}</style>\n</head>\n"
            f"<body>\n{self.body}\n</body>\n</html>\n"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole page to a file, whose name should end in `.html`."""
        Path(path).write_text(self.html, encoding="utf-8")

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.body


def write_report(
    trainer: Trainer,
    state: str,
    error: BaseException | None = None,
    series: RunSeries | None = None,
) -> ReportPage:
    """Return a page about a trainer and its history.

    Args:
        trainer: its confusion matrix is shown if its evaluator is an `Evaluator`.
        state: of the trainer's session, such as `finished`.
        error: the error that ended the run, if it failed.
        series: the one that the run belongs to.
    """
    title, history = "Report of a training", trainer.history
    packages = [f"{name} {version(name)}" for name in ("mnist_widgets", "torch", "numpy")]
    versions = ", ".join([f"Python {platform.python_version()}", *packages, platform.system()])
    sections = {
        "How it ended": StaticView.of_words(_describe_ending(trainer, state, error, series)),
        **{curve.title: curve.render(history) for curve in _choose_curves(history)},
        "Epochs": tabulate_epochs(history),
        "Confusion matrix": _show_confusion(trainer),
        "Settings": _describe_settings(trainer),
        "Versions": StaticView.of_words(f"{versions}."),
    }
    when = StaticView.of_words(f"Made on {datetime.now().astimezone():%Y-%m-%d at %H:%M}.")
    page = join_views([when, *(view.titled(name, level=2) for name, view in sections.items())])
    return ReportPage(title, f"<h1>{title}</h1>{page.html}", f"{title}. {page.text}")


def _choose_curves(history: History) -> list[Quantity]:
    """Return what there are curves of: accuracies only if there are two to compare."""
    return [LOSS] if history.accuracy_gap is None else [LOSS, ACCURACY]


def _describe_ending(
    trainer: Trainer, state: str, error: BaseException | None, series: RunSeries | None
) -> str:
    history = trainer.history
    batches = _count(len(history.batch_losses), "batch", "batches")
    epochs = _count(history.num_epochs, "whole epoch", "whole epochs")
    words: list[str | None] = []
    if series is not None and series.run_number:
        words.append(f"{name_run(series)}; this page shows that run alone.")
    words += [
        _ENDINGS[state],
        trainer.stop_reason if state == "stopped" else "",
        "" if error is None else name_error(error),
        f"It trained {batches} in {epochs}.",
    ]
    if accuracies := history.find_numbers(TEST_ACCURACY):
        epoch = max(accuracies)
        last, best = (
            format_metric(TEST_ACCURACY, share)
            for share in (accuracies[epoch], max(accuracies.values()))
        )
        when = "the last epoch" if epoch == history.num_epochs else f"epoch {epoch:,}"
        words.append(f"Test accuracy after {when}: {last}; the best of all epochs: {best}.")
    return " ".join(filter(None, words))


def _show_confusion(trainer: Trainer) -> StaticView:
    evaluator, evaluated = trainer.evaluator, trainer.last_evaluated
    if not isinstance(evaluator, Evaluator):
        words = "This training has no Evaluator, so there is no confusion matrix."
        return StaticView.of_words(words)
    if evaluated is None or evaluated.predictions is None:
        return render_confusion(None, (), "")
    counts = evaluated.predictions.confusion
    known = find_class_names(evaluator.batches)
    if known is None or len(counts) != len(known):  # a network with other classes
        known = None
    names = known or tuple(map(str, range(len(counts))))
    view = render_confusion(counts, names, "digit" if known == DIGIT_NAMES else "class")
    when = f"Counted on the test images at the end of epoch {evaluated.epoch}."
    return join_views([StaticView.of_words(when), view])


def _describe_settings(trainer: Trainer) -> StaticView:
    batches, config = trainer.train_batches, trainer.config
    num_parameters = sum(
        parameter.numel()
        for parameter in trainer.model.parameters()
        if not isinstance(parameter, UninitializedParameter)  # of a lazy layer that was never used
    )
    rates = read_rates(trainer.optimizer)
    rate = rates[0]
    settings = {
        "Network": f"{type(unwrap(trainer.model)).__name__}, {num_parameters:,} parameters",
        "Loss function": name_callable(trainer.loss_fn),
        "Optimizer": type(trainer.optimizer).__name__,
        "Learning rate": ", ".join(dict.fromkeys(map(format_number, rates))),
        "Batches of an epoch": f"{trainer.num_batches:,}",
        "Device": str(trainer.device),
    }
    if isinstance(batches, Batches):
        settings["Batch size"] = str(batches.batch_size)
        settings["Training images"] = f"{batches.num_images:,} of {batches.digit_set.name}"
    table = StaticView.of_table(("Setting", "Value"), tuple(settings.items()))
    if not isinstance(config, RunConfig):
        return table
    epochs = max(trainer.history.num_epochs, 1)
    changed = "" if math.isclose(config.learning_rate, rate) else " The learning rate was changed."
    words = f"The same as text: {config.to_string()}.{changed} As code, with the present rate:"
    data = cast("tuple[DigitSet, DigitSet] | None", trainer.data)
    code = replace(config, learning_rate=rate).to_code(epochs, data, trainer.train_step)
    return join_views([table, StaticView.of_code(words, code)])


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
