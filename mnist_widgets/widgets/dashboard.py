"""All panels in one lab, wired through one shared selection.

Each panel knows its own business; here they only hear of each other. What a network makes of the
images is asked between two batches, and only as often as somebody could see a difference.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from ipywidgets import HBox, Widget
from torch import nn
from torch.optim import Optimizer
from traitlets import link

from mnist_widgets.callbacks import DivergenceGuard
from mnist_widgets.data import load_digits
from mnist_widgets.digit_set import DigitSet
from mnist_widgets.evaluation import Evaluator, Predictions, predict_probabilities
from mnist_widgets.reports import EpochReport
from mnist_widgets.run_config import RunConfig
from mnist_widgets.runs import RunLog, describe_runs
from mnist_widgets.session import TrainingSession
from mnist_widgets.training import Callback, LossFunction, Trainer, TrainStep, train_step
from mnist_widgets.widgets.confusion_chart import ConfusionChart
from mnist_widgets.widgets.hyperparameter_panel import CONTROLS, HyperparameterPanel
from mnist_widgets.widgets.image_gallery import ImageGallery
from mnist_widgets.widgets.loss_chart import LossChart
from mnist_widgets.widgets.panel import Panel
from mnist_widgets.widgets.probability_chart import ProbabilityChart
from mnist_widgets.widgets.publishing import publisher
from mnist_widgets.widgets.run_table import RunTable
from mnist_widgets.widgets.training_panel import TrainingPanel

LOOK_INTERVAL_S = 0.3
"""Time between two looks at the shown images while the training runs."""
EPOCH_INTERVAL_S = 1.0
"""Time between two evaluations shown while the training runs: a small set has ten a second."""
PANELS = ("settings", "loss", "gallery", "prediction", "confusion", "runs")
"""What `hide` can name beside the settings of `CONTROLS`."""

_ROW = {"flex_flow": "row wrap", "align_items": "flex-start"}
_open_dashboard: Dashboard | None = None


def dashboard(
    model: nn.Module | None = None,
    data: tuple[DigitSet, DigitSet] | None = None,
    loss_fn: LossFunction | None = None,
    optimizer: Optimizer | None = None,
    *,
    train_step: TrainStep = train_step,
    settings: RunConfig | str | None = None,
    hide: Iterable[str] = (),
    lock: Iterable[str] = (),
) -> Dashboard:
    """Return a complete lab: train, look inside, compare runs.

    A notebook has one lab at a time: a new one ends the training of the one before and closes it.

    Args:
        model: your own network, whose outputs are raw scores (B, 10); then the settings are yours
            too, and their panel is left out.
        data: training and test set; by default `load_digits()`.
        loss_fn: goes with `model`; by default cross-entropy.
        optimizer: goes with `model`; by default Adam.
        train_step: trains one batch; your own replaces the usual one.
        settings: what to begin with, a `RunConfig` or its string; not with `model`.
        hide: names of panels (`PANELS`) or of settings that are not to be seen.
        lock: names of settings that are to be seen but not changed.

    Raises:
        ValueError: if something does not go together, or `hide` or `lock` name what is not there.
    """
    global _open_dashboard  # noqa: PLW0603 - a kernel has one
    if _open_dashboard is not None:
        _open_dashboard.close()
    if model is None and (loss_fn is not None or optimizer is not None):
        raise ValueError("loss_fn and optimizer go with a model of your own; give that too.")
    if model is not None and settings is not None:
        raise ValueError("settings describe the lab's own networks; leave them out with a model.")
    train_set, test_set = data or load_digits()
    if isinstance(settings, str):
        settings = RunConfig.from_string(settings)
    config = settings or RunConfig(batch_size=512 if len(train_set) > 10_000 else 32)

    def make_trainer(config: RunConfig) -> Trainer:
        trainer = config.build(train_set, test_set)
        trainer.train_step = train_step
        return trainer

    def make_own_trainer(config: RunConfig) -> Trainer:
        assert model is not None  # noqa: S101 - for the type checker
        return Trainer(
            model,
            loss_fn or nn.CrossEntropyLoss(),
            optimizer or torch.optim.Adam(model.parameters(), lr=config.learning_rate),
            train_set.batches(config.batch_size, shuffle=True),
            evaluator=Evaluator(test_set.batches(512)),
            train_step=train_step,
        )

    hidden = {*hide, *(() if model is None else ("settings", "runs"))}
    _open_dashboard = Dashboard(
        make_trainer if model is None else make_own_trainer,
        test_set,
        config,
        has_own_model=model is not None,
        hide=hidden,
        lock=lock,
    )
    return _open_dashboard


class Dashboard(Panel):
    """The panels of a lab; `dashboard()` makes one.

    Args:
        make_trainer: gives a trainer with fresh weights for a run.
        test_set: the images to look at.
        config: the settings to begin with.
        has_own_model: whether a reset goes back to the first weights of the same model, instead of
            making a new network.
        hide: names of panels or settings.
        lock: names of settings.

    Attributes:
        session: the training.
        run_log: the runs so far.
    """

    def __init__(
        self,
        make_trainer: Callable[[RunConfig], Trainer],
        test_set: DigitSet,
        config: RunConfig,
        *,
        has_own_model: bool = False,
        hide: Iterable[str] = (),
        lock: Iterable[str] = (),
    ) -> None:
        hidden = set(hide)
        if unknown := hidden - {*PANELS, *CONTROLS}:
            names = ", ".join((*PANELS, *CONTROLS))
            raise ValueError(f"hide names {sorted(unknown)}; what can be hidden is {names}.")
        self._make_trainer = make_trainer
        self._test_set = test_set
        self._has_own_model = has_own_model
        self._looked_at_s = -math.inf
        self.run_log = RunLog()
        self._settings = HyperparameterPanel(config, lock=lock, hide=hidden - set(PANELS))
        self._loss = LossChart()
        self._gallery = ImageGallery(test_set)
        self._prediction = ProbabilityChart(test_set.class_names)
        self._confusion = ConfusionChart(test_set.class_names)
        self._runs = RunTable(self.run_log)
        self.session = TrainingSession(self._new_trainer(config))
        self._training = TrainingPanel(self.session, reset=self.reset)
        super().__init__("mw-dashboard", self._lay_out(hidden))
        self._parts_off_page = tuple(getattr(self, f"_{name}") for name in PANELS)
        self._wire()
        self._on_news()

    def close(self) -> None:
        """End the training and take the lab off the page, with all that belongs to it."""
        if hasattr(self, "session"):
            self.session.close()
        super().close()

    def reset(self) -> None:
        """Begin a new run with the settings shown, from fresh weights."""
        if self._has_own_model:
            self.session.reset()
            return
        config = self._settings.config
        self.session.reset(self._new_trainer(config))

    def _new_trainer(self, config: RunConfig) -> Trainer:
        trainer = self._make_trainer(config)
        recorder = self.run_log.record(config)
        trainer.callbacks += [self._loss, DivergenceGuard(), recorder, _EpochTeller(self)]
        self._settings.run_config = config
        return trainer

    def _lay_out(self, hidden: set[str]) -> list[Widget]:
        def row(**widths: str) -> HBox:
            parts = [name for name in widths if name not in hidden]
            for name in parts:
                getattr(self, f"_{name}").layout.flex = widths[name]
            return HBox([getattr(self, f"_{name}") for name in parts], layout=_ROW)

        return [
            self._training,
            row(settings="1 1 330px", loss="2 1 560px"),
            row(gallery="1 1 490px", prediction="1 1 420px"),
            row(confusion="1 1 690px"),
            row(runs="1 1 690px"),
        ]

    def _wire(self) -> None:
        link((self._confusion, "selected_pair"), (self._gallery, "selected_pair"))
        self._gallery.observe(self._on_selected_index, "selected_index")
        self._gallery.observe(self._on_visible_indices, "visible_indices")
        self._settings.observe(self._on_config, "config")
        self.run_log.add_listener(self._on_runs)
        self.session.add_listener(self._on_news)

    def _on_news(self) -> None:
        """Look at the images again: now and then in a training, and whenever it stands still."""
        if self.session.state != "running":
            self._ask(self._look_at_all)
        elif time.monotonic() - self._looked_at_s >= LOOK_INTERVAL_S:
            self._ask(self._look)

    def _on_selected_index(self, _change: object) -> None:
        self._ask(self._look_urgently)

    def _on_visible_indices(self, _change: object) -> None:
        self._ask(self._look)

    def _on_config(self, change: dict[str, RunConfig]) -> None:
        rate, run_config = change["new"].learning_rate, self._settings.run_config
        if run_config is None or run_config.learning_rate == rate:
            return
        self._settings.run_config = replace(run_config, learning_rate=rate)

        def change_learning_rate() -> None:
            for group in self.session.trainer.optimizer.param_groups:
                group["lr"] = rate

        self._ask(change_learning_rate)

    def _on_runs(self) -> None:
        current = [run for run in self.run_log.runs if run is self.run_log.current]
        earlier = self.run_log.earlier_shown
        labels = describe_runs([*earlier, *current])
        histories = [run.history for run in earlier]
        self._loss.show_runs(
            list(zip(labels, histories, strict=False)), labels[-1] if current else ""
        )

    def _ask(self, job: Callable[[], None]) -> None:
        if self.session.can("reset"):  # it is open
            self.session.between_batches(job)

    def _look_urgently(self) -> None:
        self._look()
        publisher.request(self._prediction.redraw, urgent=True)

    def _look(self) -> None:
        """Ask the network for the shown images."""
        self._looked_at_s = time.monotonic()  # a look that a click asked for counts as well
        index, indices = self._gallery.selected_index, self._gallery.visible_indices
        shown = indices if index is None else torch.cat([indices, torch.tensor([index])])
        if len(shown) == 0:
            return
        images = self._test_set.images[shown]
        probabilities = predict_probabilities(self.session.trainer.model, images)
        self._gallery.show_visible(shown, probabilities)
        if index is not None:
            label = int(self._test_set.labels[index])
            self._prediction.show_prediction(images[-1], probabilities[-1], label)

    def _look_at_all(self) -> None:
        """Ask the network for all images: nothing moves, so what is drawn is what is true."""
        probabilities = predict_probabilities(self.session.trainer.model, self._test_set.images)
        self.show_predictions(Predictions(probabilities, self._test_set.labels))
        self._look()

    def show_predictions(self, predictions: Predictions) -> None:
        """Show what the network makes of the whole test set."""
        self._gallery.show_predictions(predictions)
        self._confusion.show_counts(predictions.confusion)


class _EpochTeller(Callback):
    """Hands on what the evaluator found at the end of an epoch, unless epochs come too fast."""

    def __init__(self, lab: Dashboard) -> None:
        self._lab = lab
        self._shown_at_s = -math.inf

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Show the predictions for all images; at a standstill the lab asks for new ones anyway."""
        now_s = time.monotonic()
        if now_s - self._shown_at_s < EPOCH_INTERVAL_S:
            return
        if isinstance(trainer.evaluator, Evaluator) and trainer.evaluator.predictions is not None:
            self._shown_at_s = now_s
            self._lab.show_predictions(trainer.evaluator.predictions)
