"""The settings of a run: checked, put into words, a line of text or code, and built.

What became of a run is left to `runs`, how settings are chosen on screen to the panels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from mnist_widgets.data import DigitSet
from mnist_widgets.evaluation import Evaluator
from mnist_widgets.losses import LOSS_FUNCTIONS
from mnist_widgets.models import SimpleNet
from mnist_widgets.run_code import write_code
from mnist_widgets.seeding import SeedRun, seeded
from mnist_widgets.training import Callback, Trainer, TrainStep
from mnist_widgets.training import train_step as usual_train_step

TEST_BATCH_SIZE = 512


@dataclass(frozen=True)
class OptimizerChoice:
    """One of the optimizers to choose from.

    Attributes:
        name: what it is called on screen.
        class_name: its class in `torch.optim`.
        options: what the class is given beside parameters and learning rate.
    """

    name: str
    class_name: str
    options: Mapping[str, float] = field(default_factory=dict)


OPTIMIZERS: Mapping[str, OptimizerChoice] = {
    "sgd": OptimizerChoice("SGD", "SGD"),
    "momentum": OptimizerChoice("SGD with momentum", "SGD", {"momentum": 0.9}),
    "rmsprop": OptimizerChoice("RMSprop", "RMSprop"),
    "adam": OptimizerChoice("Adam", "Adam"),
    "adamw": OptimizerChoice("AdamW", "AdamW"),
}
LOSSES: Mapping[str, str] = {
    "cross-entropy": "cross-entropy",
    "nll": "NLL with LogSoftmax",
    "mse": "mean squared error",
}
LIMITS: Mapping[str, tuple[float, float]] = {
    "learning_rate": (1e-5, 10.0),
    "batch_size": (1, 10_000),
    "hidden_units": (1, 4096),
    "seed": (0, 2**31 - 1),
}
"""The least and the greatest number of each setting that is one."""

_KEYS = {
    "optimizer": "optimizer",
    "lr": "learning_rate",
    "batch": "batch_size",
    "hidden": "hidden_units",
    "loss": "loss",
    "seed": "seed",
}


@dataclass(frozen=True)
class RunConfig:
    """The settings of one run, enough to repeat it.

    Example:
        >>> config = RunConfig(optimizer="sgd", learning_rate=0.1)
        >>> config.to_string()
        'sgd lr=0.1 batch=512 hidden=512 loss=cross-entropy seed=0'
        >>> trainer = config.build(*load_bundled_digits())

    Attributes:
        optimizer: a key of `OPTIMIZERS`.
        learning_rate: 0.00001 to 10.
        batch_size: images in a batch, 1 to 10,000.
        hidden_units: width of the hidden layer, 1 to 4,096.
        loss: a key of `LOSSES`.
        seed: of the weights, of the order of the images, and of what the training draws.

    Raises:
        ValueError: a setting is none of these; the message names it and what would be right.
    """

    optimizer: str = "adam"
    learning_rate: float = 0.001
    batch_size: int = 512
    hidden_units: int = 512
    loss: str = "cross-entropy"
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("loss", self.loss, LOSSES)
        _check_number("learning_rate", self.learning_rate, (int, float), "a number")
        for name in ("batch_size", "hidden_units", "seed"):
            _check_number(name, getattr(self, name), (int,), "a whole number")
        object.__setattr__(self, "learning_rate", float(self.learning_rate))

    @classmethod
    def from_string(cls, text: str, defaults: RunConfig | None = None) -> RunConfig:
        """Read what `to_string` wrote, or what somebody typed after its model.

        Args:
            text: its words in any order, with or without some of them.
            defaults: gives what is left out; by default `RunConfig()`.

        Raises:
            ValueError: a word is not understood or said twice, or a value is out of range.
        """
        settings: dict[str, Any] = {}
        for word in text.lower().split():
            key, _, value = word.rpartition("=")
            if not key and value in OPTIMIZERS:
                key = "optimizer"
            if key not in _KEYS:
                keys = ", ".join(f"{key}=" for key in list(_KEYS)[1:])
                raise ValueError(
                    f"{word!r} is not understood. A setting is one of {keys} with a value and no "
                    f"blank in it, or an optimizer: {', '.join(OPTIMIZERS)}."
                )
            if (name := _KEYS[key]) in settings:
                raise ValueError(f"The {_name(name)} is set twice, the second time by {word!r}.")
            settings[name] = _read(name, value)
        return replace(defaults or cls(), **settings)

    def to_string(self) -> str:
        """Return the settings as one short line, exact to the last digit."""
        return (
            f"{self.optimizer} lr={format_number(self.learning_rate)} batch={self.batch_size} "
            f"hidden={self.hidden_units} loss={self.loss} seed={self.seed}"
        )

    def to_words(self) -> dict[str, str]:
        """Return each setting by its name, as a short label such as `lr 0.001`."""
        return {
            "optimizer": OPTIMIZERS[self.optimizer].name,
            "learning_rate": f"lr {format_number(self.learning_rate)}",
            "batch_size": f"batch size {self.batch_size}",
            "hidden_units": f"{self.hidden_units} hidden units",
            "loss": LOSSES[self.loss],
            "seed": f"seed {self.seed}",
        }

    def to_code(
        self,
        epochs: int = 10,
        data: tuple[DigitSet, DigitSet] | None = None,
        train_step: TrainStep = usual_train_step,
    ) -> str:
        """Return Python code that repeats the run in a new notebook.

        Data and a training step of your own stand in it as lines marked FILL IN.

        Args:
            epochs: how many to train.
            data: the run's training set and test set; None stands for those of `load_digits()`.
            train_step: the run's.
        """
        optimizer = OPTIMIZERS[self.optimizer]
        options = "".join(f", {name}={value}" for name, value in optimizer.options.items())
        return write_code(
            data,
            train_step,
            hidden_units=self.hidden_units,
            loss=self.loss,
            optimizer=f"torch.optim.{optimizer.class_name}(model.parameters(), "
            f"lr={format_number(self.learning_rate)}{options})",
            batch_size=self.batch_size,
            test_batch_size=TEST_BATCH_SIZE,
            seed=self.seed,
            epochs=epochs,
        )

    def build(
        self,
        train_set: DigitSet,
        test_set: DigitSet,
        callbacks: Iterable[Callback] = (),
        device: torch.device | str | None = None,
    ) -> Trainer:
        """Return a trainer with a fresh network, as these settings want it.

        Whichever loss it is, a softmax of the network's outputs gives its probabilities. Building
        changes no random state. Just before its first batch, and after each reset again, the run
        seeds torch with `seed`; the order of the images has a generator of its own.

        Args:
            train_set: gives the batches, shuffled anew in each epoch.
            test_set: what the trainer's evaluator judges by after each epoch.
            callbacks: called in this order.
            device: where to train; by default the best of this machine.
        """
        num_pixels = train_set.images[0].numel()
        with seeded(self.seed):
            model: nn.Module = SimpleNet(
                num_pixels, len(train_set.class_names), hidden_units=self.hidden_units
            )
        if self.loss == "nll":
            model = nn.Sequential(model, nn.LogSoftmax(dim=1))
        loss_fn = LOSS_FUNCTIONS[self.loss]
        choice = OPTIMIZERS[self.optimizer]
        make_optimizer = getattr(torch.optim, choice.class_name)
        optimizer = make_optimizer(model.parameters(), lr=self.learning_rate, **choice.options)
        order = torch.Generator().manual_seed(self.seed)
        trainer = Trainer(
            model,
            loss_fn,
            optimizer,
            train_set.batches(self.batch_size, shuffle=True, generator=order),
            evaluator=Evaluator(test_set.batches(TEST_BATCH_SIZE), loss_fn),
            callbacks=[SeedRun(self.seed, order), *callbacks],
            device=device,
        )
        _built_from[trainer] = self
        return trainer

    @staticmethod
    def of(trainer: Trainer) -> RunConfig | None:
        """Return the settings that a trainer was built from; None if it was made by hand."""
        return _built_from.get(trainer)


_built_from: WeakKeyDictionary[Trainer, RunConfig] = WeakKeyDictionary()

SETTINGS = tuple(field.name for field in fields(RunConfig))
"""The names of all settings, in the order in which one reads them."""


def format_number(number: float) -> str:
    """Return a number exactly and without an exponent, such as `0.00001` or `10`."""
    return np.format_float_positional(number, trim="-")


def read_number(text: str) -> float:
    """Return the number that a text writes, with a decimal point or a decimal comma.

    Raises:
        ValueError: if it writes none, or none that is finite.
    """
    number = float(text.replace(",", "."))
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a finite number")
    return number


def _check_choice(name: str, value: object, choices: Mapping[str, object]) -> None:
    if value not in choices:
        known = ", ".join(choices)
        raise ValueError(f"The {_name(name)} is {value!r}; it must be one of {known}.")


def _check_number(name: str, value: object, types: tuple[type, ...], kind: str) -> None:
    least, greatest = LIMITS[name]
    is_number = isinstance(value, types) and not isinstance(value, bool)
    if not (is_number and least <= value <= greatest):  # type: ignore[operator] # it is a number
        raise ValueError(
            f"The {_name(name)} is {value!r}; it must be {kind} from {format_number(least)} to "
            f"{format_number(greatest)}."
        )


def _read(name: str, text: str) -> str | float:
    """Return the setting `name` that `text` writes; as it is if it is no number."""
    for read in (int, read_number) if name in LIMITS else ():
        with suppress(ValueError):
            return read(text)
    return text


def _name(setting: str) -> str:
    return "number of hidden units" if setting == "hidden_units" else setting.replace("_", " ")
