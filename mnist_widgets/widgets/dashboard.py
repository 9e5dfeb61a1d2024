"""The lab: lays out all panels and connects them through one shared selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from ipywidgets import HBox, VBox, Widget
from torch import nn
from torch.optim import Optimizer
from traitlets import link

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.data.loaders import load_digits
from mnist_widgets.rendering.confusion_captions import write_share
from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.runs.presets import PRESETS, choose_settings
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.run_log import RunLog, name_runs
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.callbacks import DivergenceGuard
from mnist_widgets.training.health.monitor import HealthMonitor
from mnist_widgets.training.trainer import LossFunction, TrainStep, train_step
from mnist_widgets.widgets.live_inference import LiveInference
from mnist_widgets.widgets.panel import Panel, check_names
from mnist_widgets.widgets.panels.confusion_chart import ConfusionChart
from mnist_widgets.widgets.panels.hyperparameter_panel import CONTROLS, HyperparameterPanel
from mnist_widgets.widgets.panels.image_gallery import ImageGallery
from mnist_widgets.widgets.panels.loss_chart import LossChart
from mnist_widgets.widgets.panels.probability_chart import ProbabilityChart
from mnist_widgets.widgets.panels.run_table import RunTable
from mnist_widgets.widgets.panels.step_explorer import LabStepExplorer
from mnist_widgets.widgets.panels.training_panel import LabTrainingPanel, check_panel_epochs
from mnist_widgets.widgets.parts.choices import IndexSelection, PairSelection
from mnist_widgets.widgets.parts.controls import Disclosure
from mnist_widgets.widgets.static_output import static_view_writer
from mnist_widgets.widgets.trainer_factory import TrainerFactory, check_data

PANELS = {
    "settings": "Settings",
    "loss_chart": "Loss",
    "gallery": "Test images",
    "prediction": "Prediction",
    "confusion": "Confusion matrix",
    "steps": "One training step",
    "runs": "Runs",
}
"""The panels beside the one of the training: their names for `hide`, and their headings."""
ON_REQUEST = ("steps",)
"""Panels that are built when a person opens them: their names for `show`."""

_TITLES = {"training": "Training", **PANELS, "diagnosis": "Diagnosis"}
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
        lock: names of settings, or `epochs`, to show but not to change.
        show: names of panels to open at once that a button opens otherwise (`ON_REQUEST`).
        wait: as for `TrainingSession`.
        device: what to compute on, such as `"cpu"`; by default the best of this machine.
        monitor: whether a `HealthMonitor` looks for signs of a sick training.
        guess: whether there is a field for the test accuracy that a person expects of a run.

    Raises:
        TypeError, ValueError: if arguments do not fit together; the lab before then stays open.
    """
    settings, epochs = choose_settings(preset, settings, epochs, has_model=model is not None)
    train_set, test_set = load_digits() if data is None else check_data(data)
    factory = TrainerFactory(
        train_set, test_set, settings, train_step, model, loss_fn, optimizer, batch_size, device
    )
    flags = {"monitor": monitor, "guess": guess}
    lab = Dashboard(factory, epochs=epochs, hide=hide, lock=lock, show=show, wait=wait, **flags)
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
        locked = check_names("lock", lock, settings)
        opened = check_names("show", show, ON_REQUEST)
        self._factory, test_set = factory, factory.test_set
        self._num_images, self._class_names = len(test_set), test_set.class_names
        check_panel_epochs(epochs)
        trainer = factory.make_trainer()
        # what fails up to here leaves no widget behind
        self.session = TrainingSession(trainer, wait, factory.choose_trainer)
        self.run_log = RunLog()
        in_epochs = {"lock_epochs": "epochs" in locked, "hide_epochs": "epochs" in hidden}
        self._has_free_epochs = not {"epochs"} & (hidden | locked)
        training = LabTrainingPanel(self.session, epochs, **in_epochs, guess=guess)
        training.observe(self.run_log.on_expectation, "expected_accuracy")
        builders = self._builders(hidden, locked)
        self.panels: dict[str, Any] = {"training": training}
        at_once = panels - hidden - set(ON_REQUEST)
        self.panels |= {name: builders[name]() for name in PANELS if name in at_once}
        self._steps = VBox()  # empty until they are opened
        self._steps_button = Disclosure(
            "Look inside one step", "Close the step", self._steps, width_px=150
        )
        if "steps" in hidden:
            self._steps_button.layout.display = "none"
        self._settings = self.panels.get("settings")
        self._loss_chart = self.panels.get("loss_chart")
        selection = self.panels.get("gallery", self)
        self._inference = LiveInference(self.session, test_set, self.panels, selection)
        charts = [] if self._loss_chart is None else [self._loss_chart]
        monitors = [HealthMonitor()] if monitor else []
        factory.callbacks = [
            *(*charts, DivergenceGuard(), *monitors),
            *(self.run_log.record(), self._inference),
        ]
        trainer.callbacks += factory.callbacks
        super().__init__("mw-dashboard", self._lay_out())
        self._connect()
        self._steps_button.is_open = "steps" in opened - hidden
        self._inference.on_news()

    def close(self) -> None:
        """Stop the training, and take the lab off the page with all its widgets."""
        if hasattr(self, "session"):  # an argument may have been refused before
            self.session.close()
        super().close()

    def static_view(self) -> StaticView:
        """Return the static views of all panels shown, one below the other."""
        return join_views(
            self.panels[name].static_view().titled(title)
            for name, title in _TITLES.items()
            if name in self.panels
        )

    def _builders(self, hidden: set[str], locked: set[str]) -> dict[str, Callable[[], Panel]]:
        """Return a function for each panel of `PANELS`, which builds it."""
        classes, controls = self._class_names, set(CONTROLS)
        return {
            "settings": lambda: HyperparameterPanel(
                self._factory.config,
                lock=locked & controls,
                hide=hidden & controls,
                write_code=self._factory.write_code,
                num_classes=len(classes),
            ),
            "loss_chart": LossChart,
            "gallery": lambda: ImageGallery(self._factory.test_set),
            "prediction": lambda: ProbabilityChart(classes),
            # the inner lambda stays: `_inference` is built after the panels
            "confusion": lambda: ConfusionChart(classes, lambda: self._inference.count_now()),  # noqa: PLW0108
            "runs": lambda: RunTable(self.run_log),
        }

    def _lay_out(self) -> list[Widget]:
        def show(**widths: str) -> list[Widget]:
            shown = {name: self.panels[name] for name in widths if name in self.panels}
            for name, panel in shown.items():
                panel.layout.flex = widths[name]
                # the rows at the top need no heading to be seen
                panel.show_heading(_TITLES[name], is_hidden=name in ("training", "settings"))
            return list(shown.values())

        # Wrapping makes one column below 800 px, two up to 1,450 px, and three above.
        left = VBox(show(loss_chart="0 0 auto", gallery="0 0 auto"))
        right = HBox(show(confusion="1 1 400px", prediction="1 1 400px"), layout=_ROW)
        left.layout.flex, right.layout.flex = "2 1 480px", "7 1 308px"
        columns = [column for column in (left, right) if column.children]
        return [
            *show(training="0 0 auto", settings="0 0 auto"),
            HBox(columns, layout=_ROW).add_class("mw-columns"),
            self._steps_button,
            self._steps,
            *show(runs="0 0 auto"),
        ]

    def _connect(self) -> None:
        """Connect the panels with each other."""
        get = self.panels.get
        gallery, confusion, prediction = get("gallery"), get("confusion"), get("prediction")
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
        self.run_log.add_listener(self._on_runs)
        self._steps_button.observe(self._build_steps, "is_open")

    def _build_steps(self, _change: object) -> None:
        """Build the explorer of a step when it is opened for the first time."""
        if "steps" not in self.panels:
            steps = LabStepExplorer(self.session, lambda: self.panels["training"].epochs)
            steps.show_heading(_TITLES["steps"])
            self._steps.children, self.panels["steps"] = [steps], steps
            static_view_writer.add_source(self, steps)

    def _follow_learning_rate(self, _change: object) -> None:
        session, follow = self.session, self._factory.set_learning_rate
        if not session.is_closed:
            session.between_batches(lambda: follow(session.trainer))

    def _follow_preset(self, change: dict[str, str | None]) -> None:
        if self._has_free_epochs and change["new"]:
            self.panels["training"].epochs = PRESETS[change["new"]].epochs

    def _on_runs(self) -> None:
        current = self.run_log.current
        if self._settings is not None:
            self._settings.run_config = None if current is None else current.latest_config
        if self._loss_chart is None:
            return
        names, shown = name_runs(self.run_log.runs), self.run_log.earlier_shown
        for run in self.run_log.runs:
            if run.number in names and (best := run.best_accuracy) is not None:
                names[run.number] += f", best epoch's test accuracy {write_share(best)}"
        self._loss_chart.show_runs(
            [(names[run.number], run.history) for run in shown if run.number in names],
            names.get(current.number, "") if current else "",
        )
