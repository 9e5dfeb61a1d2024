"""Build the trainers of a lab, from its settings or from the user's own parts."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.optim import Optimizer

from mnist_widgets.data.digit_set import DigitSet, check_same_classes, to_inputs
from mnist_widgets.rendering.captions import name_error
from mnist_widgets.runs.presets import PRESETS
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.schedules import change_rate
from mnist_widgets.runs.settings import TEST_BATCH_SIZE, default_batch_size
from mnist_widgets.system.arguments import to_whole
from mnist_widgets.training.evaluation.evaluator import Evaluator, compute_outputs
from mnist_widgets.training.evaluation.loss_kinds import find_ignored
from mnist_widgets.training.evaluation.outputs import to_probabilities
from mnist_widgets.training.evaluation.portions import ImageCuts, run_to_end
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.preflight.batch_checks import SINGLE_IMAGE
from mnist_widgets.training.preflight.preflight import check_default_dtype, find_batch_norms
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.training.training_step import LossFunction, TrainStep, train_step


@dataclass
class TrainerFactory:
    """Builds the trainers of one lab.

    Args:
        train_set: the images to train on.
        test_set: the images to evaluate with, and to show.
        settings: the settings of the lab's first network, or their string; the lab chooses those
            that the string leaves out. Not with `model`.
        train_step: trains one batch.
        model: the user's own network, whose outputs are raw scores (B, C).
        loss_fn: goes with `model`; by default cross-entropy.
        optimizer: goes with `model`; by default Adam.
        batch_size: goes with `model`; by default 512, or 32 for a small set.
        device: where to train; by default the best of this machine.

    Raises:
        ValueError: if parts do not go together, or a setting is out of range.

    Attributes:
        config: the settings of the next network.
        callbacks: those of each trainer.
    """

    train_set: DigitSet
    test_set: DigitSet
    settings: RunConfig | str | None = None
    train_step: TrainStep = train_step
    model: nn.Module | None = None
    loss_fn: LossFunction | None = None
    optimizer: Optimizer | None = None
    batch_size: int | None = None
    device: torch.device | str | None = None
    config: RunConfig = field(init=False)
    callbacks: list[Callback] = field(init=False, default_factory=list)
    _of_repeat: Trainer | None = field(init=False, default=None)  # the newest one

    def __post_init__(self) -> None:
        own = (self.loss_fn, self.optimizer, self.batch_size)
        if self.model is None and any(part is not None for part in own):
            raise ValueError(
                "loss_fn, optimizer and batch_size go with a model of your own. Pass that too, or "
                'settings such as settings="sgd lr=0.1 batch=64".'
            )
        if self.model is not None and self.settings is not None:
            raise ValueError(
                "settings and presets describe the lab's own networks. With a model of your own, "
                "pass loss_fn, optimizer and batch_size instead."
            )
        if self.model is not None:
            self._check_model(self.model)
            self._check_ignored()
        self.config = self._read_settings()
        check_device(self.device)

    def _read_settings(self) -> RunConfig:
        if isinstance(self.settings, RunConfig):
            return self.settings
        if not isinstance(self.settings, (str, type(None))):
            raise ValueError(  # noqa: TRY004 - a ValueError for each argument that does not fit
                f'settings must be a RunConfig or a string such as "sgd lr=0.1", not '
                f"{self.settings!r}"
            )
        defaults = RunConfig(batch_size=default_batch_size(len(self.train_set)))
        return RunConfig.from_string(self.settings or "", defaults=defaults)

    def _check_model(self, model: object) -> None:
        """Raise a `ValueError` unless `model` is a network for these images."""
        num_classes = len(self.test_set.class_names)
        wanted = f"model must be a network that gives {num_classes} scores for each image"
        if not isinstance(model, nn.Module):
            raise ValueError(f"{wanted}, such as SimpleNet(28 * 28, 10), not {model!r}.")  # noqa: TRY004
        inputs = to_inputs(self.test_set.images[:2])  # as in the batches, so their type must fit
        try:
            outputs = run_to_end(compute_outputs(model, inputs, ImageCuts()), model)
            shape = tuple(to_probabilities(outputs, self.loss_fn, model).shape)
        except Exception as error:
            failure = f"images of shape (B, 1, 28, 28) made it fail: {name_error(error)}"
            reason = error if isinstance(error, ValueError) else failure
            raise ValueError(f"{wanted}; {reason}") from error
        num = len(inputs)
        if shape != (num, num_classes):
            raise ValueError(f"{wanted}; for {num} images its outputs have the shape {shape}.")

    def _check_ignored(self) -> None:
        """Raise a `ValueError` if the loss function would ignore images that the panels count."""
        names = self.test_set.class_names
        ignored = find_ignored(self.loss_fn)
        if ignored is not None and 0 <= ignored < len(names):
            raise ValueError(
                f"loss_fn ignores the images of class {names[ignored]} (ignore_index={ignored}), "
                "which the panels show and count. Leave these images out of the data instead."
            )

    def on_config(self, change: dict[str, RunConfig]) -> None:
        """Use other settings from now on; a handler for `observe`."""
        self.config = change["new"]

    def choose_trainer(self, trainer: Trainer) -> Trainer:
        """Return the trainer to use: a new one if this one is untrained and has other settings.

        The session calls this before a run and after a reset, not for each change of a setting: to
        build that many networks would take too long. The user's own network is never replaced.
        """
        built = trainer.config
        if trainer.history.batch_losses or not isinstance(built, RunConfig):
            return trainer
        if trainer is self._of_repeat or built.with_live_settings(self.config) != self.config:
            return self.make_trainer()
        trainer.config = self.config
        self.set_learning_rate(trainer)
        return trainer

    def set_learning_rate(self, trainer: Trainer) -> None:
        """Train on with the learning rate of the settings, except in a repeat."""
        if trainer is not self._of_repeat:
            change_rate(trainer.optimizer, self.config.learning_rate)

    def make_trainer_of_repeat(self, config: RunConfig) -> Trainer:
        """Return a trainer with a new network, which later changes of the settings do not reach."""
        self._of_repeat = self._build_trainer(config)
        return self._of_repeat

    def _build_trainer(self, config: RunConfig) -> Trainer:
        check_default_dtype()
        data = (self.train_set, self.test_set)
        trainer = config.build(*data, self.callbacks, self.device)
        trainer.train_step = self.train_step
        return trainer

    def make_trainer(self) -> Trainer:
        """Return a trainer: with a new network of the settings, or with the user's own parts.

        Raises:
            TypeError, ValueError: if the parts do not fit together; see `preflight`.
        """
        if self.model is None:
            return self._build_trainer(self.config)
        loss_fn = nn.CrossEntropyLoss() if self.loss_fn is None else self.loss_fn
        batch_size = self.config.batch_size
        if self.batch_size is not None:
            batch_size = to_whole(self.batch_size, "batch_size")
        batch_norms = find_batch_norms(self.model)
        if batch_size == 1 and any(layer.training for layer in batch_norms):
            raise ValueError(SINGLE_IMAGE)
        leaves_one = bool(batch_norms) and len(self.train_set) % batch_size == 1
        batches = self.train_set.batches(batch_size, shuffle=True, drop_last=leaves_one)
        return Trainer(
            self.model,
            loss_fn,
            self.optimizer or torch.optim.Adam(self.model.parameters()),
            batches,
            evaluator=Evaluator(self.test_set.batches(TEST_BATCH_SIZE), loss_fn),
            train_step=self.train_step,
            device=self.device,
        )

    def write_code(self, config: RunConfig, epochs: int) -> str:
        """Return code that repeats a run with these settings on the lab's data."""
        return config.to_code(epochs, (self.train_set, self.test_set), self.train_step)


def check_device(device: torch.device | str | None) -> None:
    """Raise a `ValueError` if torch cannot compute on `device`."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:  # AssertionError: built without it
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f'device is {device!r}, which torch cannot use here ({reason}). "cpu" works everywhere.'
        ) from error


def check_data(data: object) -> tuple[DigitSet, DigitSet]:
    """Return the training set and the test set.

    Raises:
        ValueError: unless `data` is two `DigitSet`s with the same classes in the same order.
    """
    match data:
        case (DigitSet() as train_set, DigitSet() as test_set):
            check_same_classes(train_set, test_set)
            return train_set, test_set
    raise ValueError(
        "data must be two DigitSets, one to train on and one to test with, as load_mnist() returns "
        f"them, not {data!r}. DigitSet(images, labels, class_names, name) makes one from tensors, "
        "arrays or lists."
    )


def read_preset(preset: object, settings: object, epochs: int | None) -> tuple[RunConfig, int]:
    """Return the settings of a preset, and `epochs` or its own number of them.

    Args:
        preset: the name of a preset.
        settings: other settings, which must be None.
        epochs: the number of epochs, if it is not that of the preset.

    Raises:
        ValueError: if the preset is unknown, or there are other settings.
    """
    chosen = PRESETS.get(preset) if isinstance(preset, str) else None
    if chosen is None:
        names = ", ".join(f'"{each}"' for each in PRESETS)
        raise ValueError(f"There is no preset {preset!r}. Choose one of {names}.")
    if settings is not None:
        raise ValueError(
            "preset and settings both say which settings to show first. Pass one of them; preset="
            f'"{preset}" stands for settings="{chosen.settings.to_string()}".'
        )
    return chosen.settings, chosen.epochs if epochs is None else epochs
