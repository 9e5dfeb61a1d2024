"""The lab: lays out all panels and connects them through one shared selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from ipywidgets import VBox
from torch import nn
from torch.optim import Optimizer
from traitlets import link

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.data.loaders import load_digits
from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.runs.presets import PRESETS
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.run_log import RunLog
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.callbacks import DivergenceGuard
from mnist_widgets.training.health.monitor import HealthMonitor
from mnist_widgets.training.training_step import LossFunction, TrainStep, train_step
from mnist_widgets.widgets.inference.live_inference import LiveInference
from mnist_widgets.widgets.inference.training_images import TrainingImages
from mnist_widgets.widgets.lab_panels import ON_REQUEST, PANELS, TITLES, lay_out
from mnist_widgets.widgets.panel import Panel, check_names
from mnist_widgets.widgets.panels.confusion_chart import ConfusionChart
from mnist_widgets.widgets.panels.drawing_pad import DrawingPad
from mnist_widgets.widgets.panels.hyperparameter_panel import CONTROLS, HyperparameterPanel
from mnist_widgets.widgets.panels.image_gallery import ImageGallery
from mnist_widgets.widgets.panels.loss_chart import LossChart
from mnist_widgets.widgets.panels.probability_chart import ProbabilityChart
from mnist_widgets.widgets.panels.run_table import RunTable
from mnist_widgets.widgets.panels.step_explorer import LabStepExplorer
from mnist_widgets.widgets.panels.training_panel import LabTrainingPanel, check_panel_epochs
from mnist_widgets.widgets.parts.choices import IndexSelection, PairSelection
from mnist_widgets.widgets.parts.controls import Disclosure
from mnist_widgets.widgets.parts.runs.earlier_runs import list_runs
from mnist_widgets.widgets.parts.runs.repeat_button import RepeatButton
from mnist_widgets.widgets.parts.settings.preset_list import lock_presets_settings
from mnist_widgets.widgets.static_output import static_view_writer
from mnist_widgets.widgets.trainer_factory import TrainerFactory, check_data, read_preset

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
    preset: str | None = None,
    epochs: int | None = None,
    hide: Iterable[str] = (),
    lock: Iterable[str] = (),
    show: Iterable[str] = (),
    wait: bool | None = None,
    device: torch.device | str | None = None,
    monitor: bool = True,
    guess: bool = False,
) -> Dashboard:
    """Return a complete lab: train, look inside, compare runs.

    A notebook has one lab at a time: a new one stops the training of the one before and closes it.

    Args:
        model: your own network, whose outputs are raw scores (B, C); then there are no settings.
        data: training and test set; by default `load_digits()`.
        loss_fn: goes with `model`; by default cross-entropy.
        optimizer: goes with `model`; by default Adam.
        train_step: trains one batch; by default `mnist_widgets.train_step`.
        batch_size: goes with `model`; by default 512, or 32 for a small set. With batch norm, a
            last batch of one image is left out.
        settings: the settings shown first, a `RunConfig` or its string; not with `model`.
        preset: the name of settings to show first (`PRESETS`); not with `settings` or `model`.
        epochs: the number of epochs shown first; by default those of the preset, or 10.
        hide: names of panels (`PANELS`), of settings (`CONTROLS`), or `epochs`, not to show.
        lock: names of settings, or `epochs`, to show but not to change. `preset` also locks what
            presets set: all settings but the seed, and the epochs.
        show: names of panels to open at once that a button opens otherwise (`ON_REQUEST`).
        wait: as for `TrainingSession`.
        device: what to compute on, such as `"cpu"`; by default the best of this machine.
        monitor: whether a `HealthMonitor` looks for signs of a sick training.
        guess: whether there is a field for the test accuracy that a person expects of a run.

    Raises:
        TypeError, ValueError: if arguments do not fit together; the lab before then stays open.
    """
    if preset is not None:
        settings, epochs = read_preset(preset, settings, epochs)
    train_set, test_set = load_digits() if data is None else check_data(data)
    factory = TrainerFactory(
        train_set, test_set, settings, train_step, model, loss_fn, optimizer, batch_size, device
    )
    lab = Dashboard(
        factory,
        epochs=10 if epochs is None else epochs,
        hide=hide,
        lock=lock,
        show=show,
        wait=wait,
        monitor=monitor,
        guess=guess,
    )
    replace_open_lab(lab)
    return lab


def replace_open_lab(lab: Dashboard) -> None:
    """Close the lab that was open before this one."""
    global _open_dashboard
    before, _open_dashboard = _open_dashboard, lab
    if before is not None:
        before.close()


class Dashboard(Panel, IndexSelection, PairSelection):
    """The panels of a lab; `dashboard()` makes one.

    Args:
        factory: builds the trainers.
        epochs: the number of epochs shown first.
        hide: names of what is not shown.
        lock: names of what cannot be changed.
        show: names of panels to open at once.
        wait: as for `TrainingSession`.
        monitor: whether a `HealthMonitor` watches each training.
        guess: as for `TrainingPanel`.

    Attributes:
        session: the training.
        run_log: the runs so far.
        panels: the panels shown, by their names: those of `PANELS`, and `training`.
        selected_index: the position in the test set of the selected image, or None; a trait.
        selected_pair: (true, predicted), the classes of the selected cell, or None; a trait.
    """

    def __init__(
        self,
        factory: TrainerFactory,
        *,
        epochs: int = 10,
        hide: Iterable[str] = (),
        lock: Iterable[str] = (),
        show: Iterable[str] = (),
        wait: bool | None = None,
        monitor: bool = True,
        guess: bool = False,
    ) -> None:
        has_settings = factory.model is None
        settings = {*(CONTROLS if has_settings else ()), "epochs"}
        panels = set(PANELS) if has_settings else set(PANELS) - {"settings"}
        hidden = check_names("hide", hide, panels | settings)
        locked = lock_presets_settings(check_names("lock", lock, settings))
        opened = check_names("show", show, ON_REQUEST)
        self._factory, test_set = factory, factory.test_set
        self._num_images, self._class_names = len(test_set), test_set.class_names
        check_panel_epochs(epochs)
        trainer = factory.make_trainer()
        # what fails up to here leaves no widget behind
        self.session = TrainingSession(trainer, wait, factory.choose_trainer)
        self.run_log = RunLog()
        self._has_free_epochs = "epochs" not in hidden | locked
        training = LabTrainingPanel(
            self.session,
            epochs,
            lock_epochs="epochs" in locked,
            hide_epochs="epochs" in hidden,
            guess=guess,
        )
        training.observe(self._on_expectation, "expected_accuracy")
        self._builders = self._list_builders(hidden, locked)
        self.panels: dict[str, Any] = {"training": training}
        at_once = panels - hidden - set(ON_REQUEST)
        self.panels |= {name: self._builders[name]() for name in PANELS if name in at_once}
        self._places = {name: VBox() for name in ON_REQUEST}  # empty until they are opened
        self._openers = {
            name: Disclosure(more, fewer, self._places[name], width_px=width_px)
            for name, (more, fewer, width_px) in ON_REQUEST.items()
            if name not in hidden
        }
        self._settings, self._loss_chart = map(self.panels.get, ("settings", "loss_chart"))
        selection = self.panels.get("gallery", self)
        self._inference = LiveInference(self.session, test_set, self.panels, selection)
        charts = [] if self._loss_chart is None else [self._loss_chart]
        monitors = [HealthMonitor()] if monitor else []
        factory.callbacks = [
            *(*charts, DivergenceGuard(), *monitors),
            *(self.run_log.record(), self._inference),
        ]
        trainer.callbacks += factory.callbacks
        openers = list(self._openers.values())
        super().__init__("mw-dashboard", lay_out(self.panels, openers, self._places.values()))
        self._connect()
        for name in opened - hidden:
            self._openers[name].is_open = True
        self._inference.on_news()

    def close(self) -> None:
        """Stop the training, and take the lab off the page with all its widgets."""
        self._inference.close()
        self.session.close()
        super().close()

    def static_view(self) -> StaticView:
        """Return the static views of all panels shown, one below the other."""
        return join_views(
            self.panels[name].static_view().titled(title)
            for name, title in TITLES.items()
            if name in self.panels
        )

    def _list_builders(self, hidden: set[str], locked: set[str]) -> dict[str, Callable[[], Panel]]:
        """Return a function for each panel of `PANELS`, which builds it."""
        classes, controls = self._class_names, set(CONTROLS)
        return {
            "settings": lambda: HyperparameterPanel(
                self._factory.config,
                lock=locked & controls,
                hide=hidden & controls,
                write_code=self._write_code,
                num_images=len(self._factory.train_set),
                num_classes=len(classes),
            ),
            "loss_chart": LossChart,
            "gallery": lambda: ImageGallery(self._factory.test_set),
            "prediction": lambda: ProbabilityChart(classes),
            # the inner lambda stays: `_inference` is built after the panels
            "confusion": lambda: ConfusionChart(classes, lambda: self._inference.count_now()),  # noqa: PLW0108
            "runs": lambda: RunTable(
                self.run_log,
                [self._build_repeat_button()] if self._factory.model is None else [],
            ),
            "steps": lambda: LabStepExplorer(self.session, lambda: self.panels["training"].epochs),
            "drawing": lambda: DrawingPad(self.session, classes),
            "training_images": lambda: TrainingImages(self.session, self.panels),
        }

    def _write_code(self, config: RunConfig) -> str:
        return self._factory.write_code(config, self.panels["training"].epochs)

    def _build_repeat_button(self) -> RepeatButton:
        begin = self.panels["training"].begin
        return RepeatButton(self.session, self.run_log, self._factory, begin)

    def _connect(self) -> None:
        """Connect the panels with each other."""
        gallery, confusion = self.panels.get("gallery"), self.panels.get("confusion")
        prediction = self.panels.get("prediction")
        if gallery is not None:
            link((gallery, "selected_index"), (self, "selected_index"))
            link((gallery, "selected_pair"), (self, "selected_pair"))
            if prediction is not None:
                prediction.follow(gallery)
        if confusion is not None:
            link((confusion, "selected_pair"), (self, "selected_pair"))
        if self._settings is not None:
            self._settings.observe(self._factory.on_config, "config")
            self._settings.observe(self._follow_learning_rate, "config")
            self._settings.observe(self._follow_preset, "preset")
            self.panels["training"].on_epochs(self._settings.schedule_redraw)
        self.run_log.add_listener(self._on_runs)
        for name, opener in self._openers.items():
            opener.observe(partial(self._on_opener, name), "is_open")

    def _on_opener(self, name: str, change: Any) -> None:  # noqa: ANN401 - of traitlets
        """Build a panel when it is opened for the first time; tell it when it is hidden."""
        if name not in self.panels:
            panel = self.panels[name] = self._builders[name]()
            panel.show_heading(TITLES[name])
            self._places[name].children = [panel]
            static_view_writer.add_source(self, panel)
        self.panels[name].on_shown(change["new"])

    def _follow_learning_rate(self, _change: object) -> None:
        session, follow = self.session, self._factory.set_learning_rate
        if not session.is_closed:
            session.between_batches(lambda: follow(session.trainer))

    def _follow_preset(self, change: dict[str, str | None]) -> None:
        if self._has_free_epochs and change["new"]:
            self.panels["training"].epochs = PRESETS[change["new"]].epochs

    def _on_expectation(self, change: dict[str, float | None]) -> None:
        self.run_log.expected_accuracy = change["new"]

    def _on_runs(self) -> None:
        current = self.run_log.current
        if self._settings is not None:
            self._settings.is_repeat = current is not None and current.repeat is not None
            self._settings.run_config = None if current is None else current.latest_config
        if self._loss_chart is not None:
            self._loss_chart.show_runs(*list_runs(self.run_log))
