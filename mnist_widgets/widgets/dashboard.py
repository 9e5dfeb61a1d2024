"""All panels in one lab, wired through one shared selection.

Each panel knows its own business; here they are laid out and hear of each other. When the network
is asked for the images is `live_inference`, what it trains on is `trainer_source`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from ipywidgets import HTML, HBox, VBox, Widget
from torch import nn
from torch.optim import Optimizer
from traitlets import Int, Tuple, link

from mnist_widgets.callbacks import DivergenceGuard
from mnist_widgets.data import load_digits
from mnist_widgets.digit_set import DigitSet
from mnist_widgets.drivers import DriverName
from mnist_widgets.run_config import RunConfig
from mnist_widgets.runs import RunLog, describe_runs
from mnist_widgets.session import TrainingSession
from mnist_widgets.training import Callback, LossFunction, Trainer, TrainStep, train_step
from mnist_widgets.twins import Twin, join_twins
from mnist_widgets.widgets.confusion_chart import ConfusionChart
from mnist_widgets.widgets.hyperparameter_panel import CONTROLS, HyperparameterPanel
from mnist_widgets.widgets.image_gallery import ImageGallery
from mnist_widgets.widgets.live_inference import LiveInference
from mnist_widgets.widgets.loss_chart import LossChart
from mnist_widgets.widgets.panel import Panel, check_names
from mnist_widgets.widgets.probability_chart import ProbabilityChart
from mnist_widgets.widgets.run_table import RunTable
from mnist_widgets.widgets.trainer_source import TrainerSource, check_data
from mnist_widgets.widgets.training_panel import TrainingPanel

PANELS = {
    "settings": "Settings",
    "loss_chart": "Loss",
    "gallery": "Test images",
    "prediction": "Prediction",
    "confusion": "Confusion matrix",
    "runs": "Runs",
}
"""The panels that `hide` can name, and their headings on the page."""

_ROW = {"flex_flow": "row wrap", "align_items": "flex-start"}
_open_dashboard: Dashboard | None = None


def dashboard(  # noqa: PLR0913 - all but two by name
    model: nn.Module | None = None,
    data: tuple[DigitSet, DigitSet] | None = None,
    loss_fn: LossFunction | None = None,
    optimizer: Optimizer | None = None,
    *,
    train_step: TrainStep = train_step,
    batch_size: int | None = None,
    settings: RunConfig | str | None = None,
    epochs: int = 10,
    hide: Iterable[str] = (),
    lock: Iterable[str] = (),
    driver: DriverName | None = None,
    device: torch.device | str | None = None,
) -> Dashboard:
    """Return a complete lab: train, look inside, compare runs.

    A notebook has one lab at a time: a new one ends the training of the one before and closes it.

    Args:
        model: your own network, whose outputs are raw scores (B, C); then the settings are yours
            too, and their panel is left out.
        data: training and test set; by default `load_digits()`.
        loss_fn: goes with `model`; by default cross-entropy.
        optimizer: goes with `model`; by default Adam.
        train_step: trains one batch; your own replaces the usual one.
        batch_size: goes with `model`; by default 512, or 32 for a small set.
        settings: what to begin with, a `RunConfig` or its string; not with `model`.
        epochs: what the field beside the buttons says at first.
        hide: names of panels (`PANELS`), of settings (`CONTROLS`), or `epochs`: not to be seen.
        lock: names of settings, or `epochs`: to be seen but not changed.
        driver: where to train, `"background"` or `"foreground"`; as for `TrainingSession`.
        device: what to compute on, such as `"cpu"`; by default the best of this machine.

    Raises:
        ValueError: if something does not go together, or `hide`, `lock` or `driver` name what is
            not there; the lab before is then left as it is.
    """
    global _open_dashboard  # noqa: PLW0603 - a kernel has one
    train_set, test_set = load_digits() if data is None else check_data(data)
    source = TrainerSource(
        train_set, test_set, settings, train_step, model, loss_fn, optimizer, batch_size, device
    )
    before = _open_dashboard
    _open_dashboard = Dashboard(source, epochs=epochs, hide=hide, lock=lock, driver=driver)
    if before is not None:
        before.close()
    return _open_dashboard


class Dashboard(Panel):
    """The panels of a lab; `dashboard()` makes one.

    Args:
        source: what to train, and on what.
        epochs: what the field beside the buttons says at first.
        hide: names of what is not to be seen.
        lock: names of what is not to be changed.
        driver: where to train.

    Attributes:
        session: the training.
        run_log: the runs so far.
        selected_index: the position in the test set of the selected image, or None; a trait.
        selected_pair: (true, predicted), the classes of the picked cell, or None; a trait.
    """

    selected_index = Int(0, allow_none=True)
    selected_pair: Any = Tuple(Int(), Int(), default_value=None, allow_none=True)

    def __init__(
        self,
        source: TrainerSource,
        *,
        epochs: int = 10,
        hide: Iterable[str] = (),
        lock: Iterable[str] = (),
        driver: DriverName | None = None,
    ) -> None:
        self._has_settings = source.model is None
        settings = {*(CONTROLS if self._has_settings else ()), "epochs"}
        panels = set(PANELS) if self._has_settings else set(PANELS) - {"settings"}
        hidden = check_names("hide", hide, panels | settings)
        locked = check_names("lock", lock, settings)
        self._source, self._test_set = source, source.test_set
        trainer = source.make_trainer(source.config)
        self.session = TrainingSession(trainer, driver)  # what fails so far leaves no widget behind
        self.run_log = RunLog()
        self._training = TrainingPanel(
            self.session,
            epochs,
            reset=self.reset if self._has_settings else None,
            lock_epochs="epochs" in locked,
            hide_epochs="epochs" in hidden,
        )
        self._settings = HyperparameterPanel(
            source.config,
            lock=locked & set(CONTROLS),
            hide=hidden & set(CONTROLS),
            write_code=source.write_code,
        )
        self._loss_chart = LossChart()
        self._gallery = ImageGallery(self._test_set)
        self._prediction = ProbabilityChart(self._test_set.class_names)
        self._confusion = ConfusionChart(self._test_set.class_names, count=self._count_now)
        self._runs = RunTable(self.run_log)
        self._inference = LiveInference(
            self.session,
            self._test_set,
            self._gallery,
            self._prediction,
            self._confusion,
            complain=self._training.show_complaint,
        )
        self._furnish(trainer, source.config)
        hidden = hidden if self._has_settings else {*hidden, "settings"}
        self._titled_panels: list[tuple[str, Panel]] = [
            ("Training", self._training),
            *((PANELS[name], getattr(self, f"_{name}")) for name in PANELS if name not in hidden),
        ]
        super().__init__("mw-dashboard", self._lay_out(hidden))
        self._parts_off_page = tuple(getattr(self, f"_{name}") for name in PANELS)
        self._wire()
        self._inference.on_news()

    def close(self) -> None:
        """End the training and take the lab off the page, with all that belongs to it."""
        if hasattr(self, "session"):  # else it was refused before there was one
            self.session.close()
        super().close()

    def twin(self) -> Twin:
        """Return the twins of all panels to be seen, one below the other."""
        return join_twins(panel.twin().titled(title) for title, panel in self._titled_panels)

    def reset(self) -> None:
        """Begin a new run from fresh weights, with the settings shown."""
        if not self._has_settings:
            self.session.reset()
            return
        config = self._settings.config
        trainer = self._source.make_trainer(config)
        self._furnish(trainer, config)
        self.session.reset(trainer)

    def _count_now(self) -> None:
        self._inference.count_now()

    def _furnish(self, trainer: Trainer, config: RunConfig) -> None:
        """Have the lab told of a trainer that is to make the next run."""
        recorder = self.run_log.record(config if self._has_settings else None)
        trainer.callbacks += [
            self._loss_chart,
            DivergenceGuard(),
            recorder,
            self._inference,
            _RateKeeper(self),
        ]
        self._settings.run_config = config

    def _lay_out(self, hidden: set[str]) -> list[Widget]:
        def panels(**widths: str) -> list[Widget]:
            return [
                _titled(PANELS[name], getattr(self, f"_{name}"), width)
                for name, width in widths.items()
                if name not in hidden
            ]

        # A cell of the matrix and the images behind it are to be seen together.
        images = VBox(panels(gallery="0 0 auto", prediction="0 0 auto"))
        images.layout.flex = "1 1 440px"
        return [
            _titled("Training", self._training),
            HBox(panels(settings="1 1 330px", loss_chart="2 1 560px"), layout=_ROW),
            HBox(
                [*([images] if images.children else []), *panels(confusion="1.4 1 600px")],
                layout=_ROW,
            ),
            *panels(runs="0 0 auto"),
        ]

    def _wire(self) -> None:
        """Let the panels hear of each other."""
        link((self._gallery, "selected_index"), (self, "selected_index"))
        link((self._gallery, "selected_pair"), (self, "selected_pair"))
        link((self._gallery, "selected_pair"), (self._confusion, "selected_pair"))
        self._settings.observe(self._on_config, "config")
        self.run_log.add_listener(self._on_runs)

    def _on_config(self, _change: object) -> None:
        session = self.session
        is_ready = session.can("start") and session.state == "idle"
        if is_ready and not session.trainer.history.batch_losses:
            self.reset()  # nothing is trained yet that the run would have to stand by
        elif not session.is_closed:
            session.between_batches(lambda: self.follow_learning_rate(session.trainer))

    def _on_runs(self) -> None:
        runs, shown = self.run_log.runs, self.run_log.earlier_shown
        names = {
            run.number: label if label.endswith(number) else f"{number}: {label}"
            for run, label in zip(runs, describe_runs(runs), strict=True)
            for number in [f"run {run.number}"]
        }
        current = self.run_log.current
        self._loss_chart.show_runs(
            [(names[run.number], run.history) for run in shown if run.number in names],
            names.get(current.number, "") if current else "",
        )

    def follow_learning_rate(self, trainer: Trainer) -> None:
        """Let a trainer of the lab's own networks go on with the learning rate shown."""
        if not self._has_settings:
            return
        rate = self._settings.config.learning_rate
        for group in trainer.optimizer.param_groups:
            group["lr"] = rate
        if self._settings.run_config is not None:
            self._settings.run_config = replace(self._settings.run_config, learning_rate=rate)


def _titled(title: str, panel: Widget, flex: str = "0 0 auto") -> VBox:
    heading = HTML(f"<h3>{title}</h3>").add_class("mw-title")
    return VBox([heading, panel], layout={"flex": flex})


class _RateKeeper(Callback):
    """Lets a network of the lab begin with the learning rate that is shown."""

    def __init__(self, lab: Dashboard) -> None:
        self._lab = lab

    def on_reset(self, trainer: Trainer) -> None:
        """Keep the learning rate that is shown."""
        self._lab.follow_learning_rate(trainer)
