"""The table of a run's settings: names, values, limits, and the words that describe them.

A new optimizer or loss function needs a row in its table of choices, and nothing else. A new
setting needs a row in `SETTINGS`, a field of `RunConfig`, and its effect in `RunConfig.build` and
`run_code`; its control, its words and its checks follow from the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

TEST_BATCH_SIZE = 512
"""Images in a batch of the evaluator: fixed, because it changes no result."""


def default_batch_size(num_images: int) -> int:
    """Return a batch size for a training set: 512, or 32 for a small set like the bundled digits.

    With 512 an epoch of the 1,438 bundled digits would have only three updates.
    """
    return 512 if num_images > 10_000 else 32


def squared_error(logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """Return the mean squared error of the probabilities, measured against one-hot targets.

    The softmax is part of the loss, as in cross-entropy: the network's outputs are raw scores with
    each loss function.

    Args:
        logits: (B, C), raw scores.
        labels: int64 (B,).
        reduction: as for `nn.MSELoss`.
    """
    targets = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return functional.mse_loss(logits.softmax(dim=1), targets, reduction=reduction)


@dataclass(frozen=True)
class Choice:
    """One value of a setting that is chosen from a list.

    Attributes:
        label: its name on screen, as within a sentence.
        explanation: what it does, in one line.
    """

    label: str
    explanation: str


@dataclass(frozen=True)
class OptimizerChoice(Choice):
    """An optimizer.

    Attributes:
        class_name: its class in `torch.optim`.
        options: arguments of the class beside parameters and learning rate.
    """

    class_name: str
    options: Mapping[str, float] = field(default_factory=dict)

    def build(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> Optimizer:
        """Return the optimizer of these parameters."""
        make: Callable[..., Optimizer] = getattr(torch.optim, self.class_name)
        return make(parameters, lr=learning_rate, **self.options)

    def to_code(self, learning_rate: float) -> str:
        """Return the expression that builds the optimizer of a `model`."""
        options = "".join(f", {name}={value}" for name, value in self.options.items())
        rate = format_number(learning_rate)
        return f"torch.optim.{self.class_name}(model.parameters(), lr={rate}{options})"


@dataclass(frozen=True)
class LossChoice(Choice):
    """A loss function.

    Attributes:
        loss_fn: takes outputs (B, C) and labels (B,).
        code: the lines that define it as `loss_fn`.
        needs_log_softmax: whether the network ends with a `LogSoftmax` for it.
    """

    loss_fn: Callable[[Tensor, Tensor], Tensor]
    code: str
    needs_log_softmax: bool = False


OPTIMIZERS: Mapping[str, OptimizerChoice] = {
    "sgd": OptimizerChoice("SGD", "Each step goes straight downhill.", "SGD"),
    "momentum": OptimizerChoice(
        "SGD with momentum", "Steps keep some of their last direction.", "SGD", {"momentum": 0.9}
    ),
    "rmsprop": OptimizerChoice("RMSprop", "Shorter steps where gradients are large.", "RMSprop"),
    "adam": OptimizerChoice("Adam", "Momentum, and a step length per weight.", "Adam"),
    "adamw": OptimizerChoice("AdamW", "Adam, which also keeps the weights small.", "AdamW"),
}
LOSSES: Mapping[str, LossChoice] = {
    "cross-entropy": LossChoice(
        "cross-entropy",
        "Punishes confidence in wrong answers.",
        nn.CrossEntropyLoss(),
        "loss_fn = nn.CrossEntropyLoss()",
    ),
    "nll": LossChoice(
        "NLL with LogSoftmax",
        "Cross-entropy in two parts, same result.",
        nn.NLLLoss(),
        "loss_fn = nn.NLLLoss()",
        needs_log_softmax=True,
    ),
    "mse": LossChoice(
        "mean squared error",
        "Squared error of the ten probabilities.",
        squared_error,
        """
def loss_fn(logits, labels):
    targets = nn.functional.one_hot(labels, logits.shape[1]).float()
    return nn.functional.mse_loss(logits.softmax(dim=1), targets)

""",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the table: a setting of a run, which is one of some choices or a number.

    Attributes:
        name: its field in `RunConfig`; `lock` and `hide` use this name.
        key: its name in the settings as text, such as `lr`.
        label: its name on screen, at the start of a sentence.
        choices: the values, by their names in text; empty for a number.
        limits: the smallest and the largest number; two `int` if it must be a whole number.
        words: the template of a number's short label, with `{}` for the number.
        explanation: a sentence about a number; a choice has its own.
        tooltip: of its control; by default the range of the numbers.
        suggestions: numbers that the control offers in a list; without them it is a field.
        is_live: whether a change takes effect in a run that is under way.
        is_rare: whether its control is folded away at first.
    """

    name: str
    key: str
    label: str
    choices: Mapping[str, Choice] = field(default_factory=dict)
    limits: tuple[float, float] = (-math.inf, math.inf)
    words: str = "{}"
    explanation: str = ""
    tooltip: str = ""
    suggestions: tuple[int, ...] = ()
    is_live: bool = False
    is_rare: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the setting is a whole number."""
        return all(isinstance(limit, int) for limit in self.limits)

    @property
    def range(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.is_whole:
            return f"a whole number from {self.limits[0]:,} to {self.limits[1]:,}"
        return f"a number from {' to '.join(map(format_number, self.limits))}"

    def check(self, value: Any) -> Any:  # noqa: ANN401 - values are of several types
        """Return the value; a number that need not be whole as a float.

        Raises:
            ValueError: if it is not allowed; the message says what is.
        """
        if self.choices:
            is_allowed = value in tuple(self.choices)
        else:
            is_number = isinstance(value, int if self.is_whole else (int, float))
            is_number &= not isinstance(value, bool)
            is_allowed = is_number and self.limits[0] <= value <= self.limits[1]
        if not is_allowed:
            raise ValueError(f"{self.label} must be {self.range}, not {value!r}.")
        return value if self.choices or self.is_whole else float(value)

    def read(self, text: str) -> float | str:
        """Return the value that `text` stands for, not yet checked."""
        for read in () if self.choices else (int, read_number):
            with suppress(ValueError):
                return read(text)
        return text

    def to_text(self, value: float | str) -> str:
        """Return a value as text without an exponent, exact to the last digit."""
        return value if isinstance(value, str) else format_number(value)

    def to_words(self, value: float | str) -> str:
        """Return a short label of a value, such as `lr 0.001` or `Adam`."""
        if isinstance(value, str):
            return self.choices[value].label
        return self.words.format(format_number(value))

    def explain(self, value: float | str) -> str:
        """Return a sentence about a value."""
        return self.choices[value].explanation if isinstance(value, str) else self.explanation


SETTINGS = (
    Setting(
        name="optimizer",
        key="optimizer",
        label="Optimizer",
        choices=OPTIMIZERS,
        tooltip="How an update follows from the gradients",
    ),
    Setting(
        name="learning_rate",
        key="lr",
        label="Learning rate",
        limits=(1e-5, 10.0),
        words="lr {}",
        explanation="How far each update moves the weights.",
        is_live=True,
    ),
    Setting(
        name="batch_size",
        key="batch",
        label="Batch size",
        limits=(1, 10_000),
        words="batch size {}",
        explanation="Images in each update of the weights.",
        tooltip="How many images each update learns from",
        suggestions=(16, 32, 64, 128, 256, 512, 1024),
    ),
    Setting(
        name="hidden_units",
        key="hidden",
        label="Hidden units",
        limits=(1, 4096),
        words="{} hidden units",
        explanation="Width of the network's hidden layer.",
    ),
    Setting(
        name="loss",
        key="loss",
        label="Loss function",
        choices=LOSSES,
        tooltip="What the training minimizes",
        is_rare=True,
    ),
    Setting(
        name="seed",
        key="seed",
        label="Seed",
        limits=(0, 2**31 - 1),
        words="seed {}",
        explanation="Same seed, same random numbers.",
        is_rare=True,
    ),
)
"""All settings, in the order of the text and the panel; as text, the first one needs no key."""


def format_number(number: float) -> str:
    """Return a number exactly and without an exponent, such as `0.00001` or `10`."""
    return np.format_float_positional(number, trim="-")


def read_number(text: str) -> float:
    """Return the number that a text writes, with a decimal point or a decimal comma.

    Raises:
        ValueError: if the text is not a number, or not a finite one.
    """
    number = float(text.replace(",", "."))
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a finite number")
    return number
