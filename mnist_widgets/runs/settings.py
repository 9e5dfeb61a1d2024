"""The table of a run's settings: names, values, limits, and the words that describe them.

A new optimizer or loss function needs a row in its table of choices, and nothing else. A new
setting needs a row in `SETTINGS`, a field of `RunConfig`, and its effect in `RunConfig.build` and
`run_code`; its control, its words and its checks follow from the row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, TypeAlias

from mnist_widgets.runs.choices import (
    AUGMENTATIONS,
    LOSSES,
    NETWORKS,
    OPTIMIZERS,
    SCHEDULES,
    Choice,
    format_number,
    read_number,
)

Value: TypeAlias = float | str | None
"""A value of a setting; a bool is an int."""

TEST_BATCH_SIZE = 512
"""Images in a batch of the evaluator: fixed, because it changes no result."""


def default_batch_size(num_images: int) -> int:
    """Return a batch size for a training set: 512, or 32 for a small set like the bundled digits.

    With 512 an epoch of the 1,438 bundled digits would have only three updates.
    """
    return 512 if num_images > 10_000 else 32


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
        group: the name of its row among the controls that are folded away at first.
        none: in text and on screen, the word for no number; empty if there must be one.
    """

    name: str
    key: str
    label: str
    choices: Mapping[Any, Choice] = field(default_factory=dict)
    limits: tuple[float, float] = (-math.inf, math.inf)
    words: str = "{}"
    explanation: str = ""
    tooltip: str = ""
    suggestions: tuple[int, ...] = ()
    is_live: bool = False
    group: str = ""
    none: str = ""

    @property
    def is_rare(self) -> bool:
        """Whether its control is folded away at first."""
        return bool(self.group)

    @property
    def is_whole(self) -> bool:
        """Whether the setting is a whole number."""
        return all(isinstance(limit, int) for limit in self.limits)

    @property
    def range(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            names = f"one of {', '.join(map(self.to_text, self.choices))}"
            return f"{names} (in Python False or True)" if True in self.choices else names
        if self.is_whole:
            nothing = f"{self.none!r} or " * bool(self.none)
            return f"{nothing}a whole number from {self.limits[0]:,} to {self.limits[1]:,}"
        return f"a number from {' to '.join(map(format_number, self.limits))}"

    def check(self, value: Any) -> Any:  # noqa: ANN401 - values are of several types
        """Return the value; a number that need not be whole as a float.

        Raises:
            ValueError: if it is not allowed; the message says what is.
        """
        if self.choices:
            is_allowed = (type(value), value) in [(type(each), each) for each in self.choices]
        elif value is None:
            is_allowed = bool(self.none)
        else:
            is_number = isinstance(value, Integral if self.is_whole else Real)
            is_number &= not isinstance(value, bool)
            is_allowed = is_number and self.limits[0] <= value <= self.limits[1]
        if not is_allowed:
            raise ValueError(f"{self.label} must be {self.range}, not {value!r}.")
        if self.choices or value is None:
            return value
        return int(value) if self.is_whole else float(value) + 0.0  # not -0.0

    def read(self, text: str) -> Value:
        """Return the value that `text` stands for, not yet checked."""
        if self.none and text == self.none:
            return None
        if True in self.choices:
            return {"yes": True, "no": False}.get(text, text)
        for read in () if self.choices else (int, read_number):
            with suppress(ValueError):
                return read(text)
        return text

    def to_text(self, value: Value) -> str:
        """Return a value as text without an exponent, exact to the last digit."""
        if value is None:
            return self.none
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value if isinstance(value, str) else format_number(value)

    def to_words(self, value: Value) -> str:
        """Return a short label of a value, such as `lr 0.001` or `Adam`."""
        if self.choices:
            return self.choices[value].label
        return self.words.format(self.to_text(value))

    def explain(self, value: Value) -> str:
        """Return a sentence about a value."""
        return self.choices[value].explanation if self.choices else self.explanation


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
        explanation="Width of each hidden layer.",
    ),
    Setting(
        name="loss",
        key="loss",
        label="Loss function",
        choices=LOSSES,
        tooltip="What the training minimizes",
        group="Training",
    ),
    Setting(
        name="seed",
        key="seed",
        label="Seed",
        limits=(0, 2**31 - 1),
        words="seed {}",
        explanation="Same seed, same random numbers.",
        group="Training",
    ),
    Setting(
        name="weight_decay",
        key="decay",
        label="Weight decay",
        limits=(0.0, 1.0),
        words="weight decay {}",
        explanation="Pulls the weights towards 0 in each update; AdamW usually has 0.01.",
        group="Training",
    ),
    Setting(
        name="schedule",
        key="schedule",
        label="Schedule",
        choices=SCHEDULES,
        tooltip="How the learning rate changes from epoch to epoch",
        group="Training",
    ),
    Setting(
        name="network",
        key="network",
        label="Network",
        choices=NETWORKS,
        tooltip="The layers of the network",
        group="Model",
    ),
    Setting(
        name="dropout",
        key="dropout",
        label="Dropout",
        limits=(0.0, 0.95),
        words="dropout {}",
        explanation="Share of each hidden layer's units switched off, at random, in training.",
        group="Model",
    ),
    Setting(
        name="train_images",
        key="images",
        label="Training images",
        limits=(1, 1_000_000_000),  # the set may be of any size; `DigitSet.sample` knows it
        words="{} training images",
        explanation="How many images to train on, drawn with the seed.",
        tooltip="How many images to train on",
        suggestions=(100, 200, 500, 1000, 2000, 5000, 10_000, 20_000),
        group="Data",
        none="all",
    ),
    Setting(
        name="label_noise",
        key="noise",
        label="Wrong labels",
        limits=(0.0, 1.0),
        words="wrong labels {}",
        explanation="Share of the training labels that are wrong, drawn with the seed.",
        group="Data",
    ),
    Setting(
        name="augment",
        key="augment",
        label="Augmentation",
        choices=AUGMENTATIONS,
        tooltip="Whether to change the training images a little each time",
        group="Data",
    ),
)
"""All settings, in the order of the text and the panel; as text, the first one needs no key."""
