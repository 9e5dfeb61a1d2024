"""All panels in one lab, wired through one shared selection.

Each panel knows its own business; here they are laid out and hear of each other. When the network
is asked for the images is `live_inference`, what it trains on is `trainer_source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch
from ipywidgets import HTML, HBox, VBox, Widget
from torch import nn
from torch.optim import Optimizer
from traitlets import Int, TraitError, Tuple, link, validate

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
from mnist_widgets.widgets.training_panel import LabTrainingPanel, check_panel_epochs

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
Built = TypeVar("Built", bound=Panel)
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
        batch_size: goes with `model`; by default 512, or 32 for a small set. Where a model with
            batch norm would get a last batch of one image, that batch is left out.
        settings: what to begin with, a `RunConfig` or its string; not with `model`.
        epochs: what the field beside the buttons says at first.
        hide: names of panels (`PANELS`), of settings (`CONTROLS`), or `epochs`: not to be seen.
        lock: names of settings, or `epochs`: to be seen but not changed.
        driver: where to train, `"background"` or `"foreground"`; as for `TrainingSession`.
        device: what to compute on, such as `"cpu"`; by default the best of this machine.

    Raises:
        TypeError, ValueError: if parts do not fit together, or `hide`, `lock` or `driver` name what
            is not there; the lab before is then left as it is.
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
        check_panel_epochs(epochs)
        trainer = source.make_trainer(source.config)
        self.session = TrainingSession(trainer, driver)  # what fails so far leaves no widget behind
        self.run_log = RunLog()
        self._training = LabTrainingPanel(
            self.session,
            epochs,
            reset=self.reset if self._has_settings else None,
            lock_epochs="epochs" in locked,
            hide_epochs="epochs" in hidden,
        )
        self._titles = {name: PANELS[name] for name in PANELS if name in panels - hidden}
        classes = self._test_set.class_names

        def build(name: str, make: Callable[[], Built]) -> Built | None:
            return make() if name in self._titles else None

        self._settings = build(
            "settings",
            lambda: HyperparameterPanel(
                source.config,
                lock=locked & set(CONTROLS),
                hide=hidden & set(CONTROLS),
                write_code=source.write_code,
            ),
        )
        self._loss_chart = build("loss_chart", LossChart)
        self._gallery = build("gallery", lambda: ImageGallery(self._test_set))
        self._prediction = build("prediction", lambda: ProbabilityChart(classes))
        self._confusion = build("confusion", lambda: ConfusionChart(classes, count=self._count_now))
        self._runs = build("runs", lambda: RunTable(self.run_log))
        self._inference = LiveInference(
            self.session,
            self._test_set,
            get_selected=lambda: self.selected_index,
            gallery=self._gallery,
            prediction=self._prediction,
            confusion=self._confusion,
            complain=self._training.show_complaint,
        )
        self._furnish(trainer, source.config)
        super().__init__("mw-dashboard", self._lay_out())
        self._wire()
        self._inference.on_news()

    def close(self) -> None:
        """End the training and take the lab off the page, with all that belongs to it."""
        if hasattr(self, "session"):  # else it was refused before there was one
            self.session.close()
        super().close()

    def twin(self) -> Twin:
        """Return the twins of all panels to be seen, one below the other."""
        titles = {"training": "Training", **self._titles}
        return join_twins(
            getattr(self, f"_{name}").twin().titled(title) for name, title in titles.items()
        )

    def reset(self) -> None:
        """Begin a new run from fresh weights, with the settings shown."""
        if not self._has_settings:
            self.session.reset()
            return
        config = self._config
        trainer = self._source.make_trainer(config)
        self._furnish(trainer, config)
        self.session.reset(trainer)

    @property
    def _config(self) -> RunConfig:
        """The settings shown, or those that the lab began with."""
        return self._source.config if self._settings is None else self._settings.config

    def _count_now(self) -> None:
        self._inference.count_now()

    def _furnish(self, trainer: Trainer, config: RunConfig) -> None:
        """Attach the lab's callbacks to the next run's trainer."""
        recorder = self.run_log.record(config if self._has_settings else None)
        trainer.callbacks += [
            *([] if self._loss_chart is None else [self._loss_chart]),
            DivergenceGuard(),
            recorder,
            self._inference,
            _RateKeeper(self),
        ]
        if self._settings is not None:
            self._settings.run_config = config

    def _lay_out(self) -> list[Widget]:
        def panels(**widths: str) -> list[Widget]:
            return [
                _titled(self._titles[name], getattr(self, f"_{name}"), width)
                for name, width in widths.items()
                if name in self._titles
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
        gallery, confusion = self._gallery, self._confusion
        if gallery is not None:
            link((gallery, "selected_index"), (self, "selected_index"))
            link((gallery, "selected_pair"), (self, "selected_pair"))
            if self._prediction is not None:
                self._prediction.follow(gallery)
        if confusion is not None:
            link((confusion, "selected_pair"), (self, "selected_pair"))
        self.observe(lambda _change: self._inference.on_selection(), "selected_index")
        if self._settings is not None:
            self._settings.observe(self._on_config, "config")
        if self._loss_chart is not None:
            self.run_log.add_listener(partial(self._on_runs, self._loss_chart))

    @validate("selected_index")
    def _check_index(self, proposal: dict[str, int | None]) -> int | None:
        index, num_images = proposal["value"], len(self._test_set)
        if index is not None and not 0 <= index < num_images:
            raise TraitError(f"selected_index must be from 0 to {num_images - 1:,}, not {index}")
        return index

    def _on_config(self, _change: object) -> None:
        session = self.session
        is_ready = session.can("start") and session.state == "idle"
        if is_ready and not session.trainer.history.batch_losses:
            self.reset()  # nothing is trained yet that the run would have to stand by
        elif not session.is_closed:
            session.between_batches(lambda: self.follow_learning_rate(session.trainer))

    def _on_runs(self, chart: LossChart) -> None:
        runs, shown = self.run_log.runs, self.run_log.earlier_shown
        names = {
            run.number: label if label.endswith(number) else f"{number}: {label}"
            for run, label in zip(runs, describe_runs(runs), strict=True)
            for number in [f"run {run.number}"]
        }
        current = self.run_log.current
        chart.show_runs(
            [(names[run.number], run.history) for run in shown if run.number in names],
            names.get(current.number, "") if current else "",
        )

    def follow_learning_rate(self, trainer: Trainer) -> None:
        """Let a trainer of the lab's own networks go on with the learning rate shown."""
        if self._settings is None:
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
