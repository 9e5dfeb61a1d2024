"""The settings of a run: checked, written as a line of text or as code, and built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch

from mnist_widgets.data.augmentation import augment
from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.runs.choices import LOSSES, NETWORKS, OPTIMIZERS
from mnist_widgets.runs.evaluated import choose_evaluated
from mnist_widgets.runs.run_code import write_code
from mnist_widgets.runs.schedules import Schedule
from mnist_widgets.runs.seeding import SeedRun, seeded
from mnist_widgets.runs.settings import SETTINGS, TEST_BATCH_SIZE
from mnist_widgets.training.evaluation.evaluator import Evaluator
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.training.training_step import TrainStep
from mnist_widgets.training.training_step import train_step as usual_train_step


@dataclass(frozen=True)
class RunConfig:
    """The settings of one run, enough to repeat it.

    `settings.SETTINGS` holds the choices and the limits of each.

    Example:
        >>> config = RunConfig(optimizer="sgd", learning_rate=0.1)
        >>> config.to_string()
        'sgd lr=0.1 batch=512 hidden=512 loss=cross-entropy seed=0 decay=0 schedule=constant
        network=one-hidden dropout=0 images=all noise=0 augment=no'  # one line
        >>> trainer = config.build(*load_bundled_digits())

    Attributes:
        optimizer: such as `sgd`.
        learning_rate: how far each update moves the weights.
        batch_size: images in a batch.
        hidden_units: width of each hidden layer.
        loss: such as `cross-entropy`.
        seed: of the weights, of the order of the images, of what the training draws, and of
            `train_images` and `label_noise`.
        weight_decay: pulls the weights towards 0; None becomes what is usual for the optimizer,
            0.01 for AdamW and else 0. In AdamW it is apart from the gradients, else a part of them
            (L2).
        schedule: `constant`, `cosine` or `step`, how the learning rate falls.
        network: `linear`, `one-hidden`, `two-hidden` or `convolutional`.
        dropout: share of the units switched off after each hidden layer.
        train_images: how many to train on; None for all.
        label_noise: share of the training labels that are wrong.
        augment: whether training images are shifted, turned and scaled a little.

    Raises:
        ValueError: if a setting is not allowed; the message names it and the allowed values.
    """

    optimizer: str = "adam"
    learning_rate: float = 0.001
    batch_size: int = 512
    hidden_units: int = 512
    loss: str = "cross-entropy"
    seed: int = 0
    weight_decay: float | None = None
    schedule: str = "constant"
    network: str = "one-hidden"
    dropout: float = 0.0
    train_images: int | None = None
    label_noise: float = 0.0
    augment: bool = False

    def __post_init__(self) -> None:
        if self.weight_decay is None and self.optimizer in OPTIMIZERS:
            object.__setattr__(self, "weight_decay", OPTIMIZERS[self.optimizer].usual_decay)
        for setting in SETTINGS:
            value = setting.check(getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)

    @classmethod
    def from_string(cls, text: str, defaults: RunConfig | None = None) -> RunConfig:
        """Return the settings that a text holds, as `to_string` writes it or a person types it.

        Args:
            text: its words in any order; some or all of them may be missing.
            defaults: supplies the settings that are missing; by default `RunConfig()`.

        Raises:
            ValueError: if a word is unknown or repeats a setting, or if a value is not allowed.
        """
        settings = {setting.key: setting for setting in SETTINGS}
        values: dict[str, Any] = {}
        for word in text.lower().split():
            key, _, value = word.rpartition("=")
            if not key and value in OPTIMIZERS:
                key = SETTINGS[0].key
            if key not in settings:
                keys = ", ".join(f"{key}=" for key in list(settings)[1:])
                raise ValueError(
                    f"{word!r} is not a setting. Write one of {keys} with its value and no space "
                    f"between them, or an optimizer: {', '.join(OPTIMIZERS)}."
                )
            setting = settings[key]
            if setting.name in values:
                raise ValueError(f"{setting.label} is set twice, the second time by {word!r}.")
            values[setting.name] = setting.read(value)
        return (defaults or cls()).with_values(**values)

    def with_values(self, **values: Any) -> RunConfig:  # noqa: ANN401 - as the fields
        """Return these settings with other values, by their names.

        A weight decay that is usual for the optimizer becomes that of a new optimizer, unless
        `values` holds one.
        """
        if self.weight_decay == OPTIMIZERS[self.optimizer].usual_decay and "optimizer" in values:
            values.setdefault("weight_decay", None)
        return replace(self, **values)

    def to_string(self) -> str:
        """Return the settings as one short line, exact to the last digit."""
        words = [
            f"{setting.key}={setting.to_text(getattr(self, setting.name))}" for setting in SETTINGS
        ]
        return " ".join([self.optimizer, *words[1:]])

    @property
    def unused(self) -> frozenset[str]:
        """The names of settings without effect, such as `hidden_units` without a hidden layer."""
        return NETWORKS[self.network].unused

    def to_words(self) -> dict[str, str]:
        """Return each setting with an effect by its name, as a short label such as `lr 0.001`."""
        words = {
            setting.name: setting.to_words(getattr(self, setting.name))
            for setting in SETTINGS
            if setting.name not in self.unused
        }
        if self.weight_decay == OPTIMIZERS[self.optimizer].usual_decay:
            words["weight_decay"] = "usual weight decay"  # else runs of two optimizers differ in it
        return words

    def with_live_settings(self, other: RunConfig) -> RunConfig:
        """Return these settings, with those that can change during a run taken from `other`."""
        live: dict[str, Any] = {
            setting.name: getattr(other, setting.name) for setting in SETTINGS if setting.is_live
        }
        return replace(self, **live)

    def to_code(
        self,
        epochs: int = 10,
        data: tuple[DigitSet, DigitSet] | None = None,
        train_step: TrainStep = usual_train_step,
    ) -> str:
        """Return Python code that repeats the run in a new notebook.

        Lines marked FILL IN stand for data and a training step of your own.

        Args:
            epochs: how many to train.
            data: the run's training set and test set; None stands for those of `load_digits()`.
            train_step: the run's training step.
        """
        return write_code(vars(self), epochs, data, train_step)

    def build(
        self,
        train_set: DigitSet,
        test_set: DigitSet,
        callbacks: Iterable[Callback] = (),
        device: torch.device | str | None = None,
    ) -> Trainer:
        """Return a trainer with a new network, whose `config` is this one.

        With each loss function, a softmax of the network's outputs gives its probabilities.
        Building changes no random state. Just before its first batch, and again after each reset,
        the run seeds torch with `seed`; the order of the images has its own generator.

        Args:
            train_set: the images to train on, shuffled in each epoch.
            test_set: the images that the trainer's evaluator uses after each epoch.
            callbacks: called in this order.
            device: where to train; by default the best of this machine.
        """
        images = self.choose_images(train_set)
        with seeded(self.seed):
            build = NETWORKS[self.network].build
            model = build(len(images.class_names), self.hidden_units, self.dropout)
        loss_fn = LOSSES[self.loss].loss_fn
        order = torch.Generator().manual_seed(self.seed)
        transform = augment if self.augment else None
        seen = choose_evaluated(images, self.seed)
        optimizer = OPTIMIZERS[self.optimizer]
        schedules = [] if self.schedule == "constant" else [Schedule(self.schedule)]
        trainer = Trainer(
            model,
            loss_fn,
            optimizer.build(model.parameters(), self.learning_rate, self.weight_decay),
            images.batches(self.batch_size, shuffle=True, generator=order, transform=transform),
            evaluator=Evaluator(
                test_set.batches(TEST_BATCH_SIZE), loss_fn, seen.batches(TEST_BATCH_SIZE)
            ),
            callbacks=[SeedRun(self.seed, order), *schedules, *callbacks],
            device=device,
        )
        trainer.config, trainer.data = self, (train_set, test_set)
        return trainer

    def choose_images(self, train_set: DigitSet) -> DigitSet:
        """Return the images to train on, some of them with wrong labels if the settings say so.

        Raises:
            ValueError: `train_images` is more than there are.
        """
        images = train_set
        if self.train_images is not None:
            images = images.sample(self.train_images, self.seed)
        if self.label_noise:
            images = images.with_wrong_labels(self.label_noise, self.seed)
        return images
