"""Recorded steps of several optimizers and networks, and the numbers in a text."""

from __future__ import annotations

import re
from itertools import cycle, islice

import torch
from torch import nn

from mnist_widgets import SimpleNet, load_bundled_digits, record_step, train_step

OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, 0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9),
    "RMSprop": lambda parameters: torch.optim.RMSprop(parameters, 1e-3),
    "Adam": lambda parameters: torch.optim.Adam(parameters, 1e-3),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, 1e-3),
}
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?!\w|\.\w)")


def record_digits(
    optimizer="SGD",
    *,
    num_steps=6,
    model=None,
    loss_fn=None,
    batch_size=32,
    scale=1,
    num_batches=None,
):
    """Train on the bundled digits, and return the record of the last step.

    `scale` multiplies the images. Of the batches only the first `num_batches` are used; None: all.
    """
    torch.manual_seed(0)
    digits, _ = load_bundled_digits()
    model = SimpleNet(28 * 28, 10, hidden_units=32) if model is None else model
    loss_fn = loss_fn or nn.CrossEntropyLoss()
    made = OPTIMIZERS[optimizer](model.parameters())
    batches = [
        (images * scale, labels) for images, labels in digits.batches(batch_size, shuffle=True)
    ]
    batches = batches[:num_batches]
    for batch in islice(cycle(batches), num_steps - 1):
        train_step(model, batch, loss_fn, made, "cpu")
    return record_step(model, batches[(num_steps - 1) % len(batches)], loss_fn, made)


def find_numbers(text):
    """List the numbers in a text as they are written, without those in names."""
    return NUMBER.findall(text)


def is_written(written, expected, size=0.0, num_roundings=1):
    """Return whether a number is written right to its last digit.

    `size` is that of the numbers whose float32 sum it is, `num_roundings` says how many written
    numbers it was calculated from, each with its last digit rounded.
    """
    mantissa, _, exponent = written.partition("e")
    digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    slack = 1e-6 * max(abs(expected), size)
    return abs(float(written) - expected) <= 0.5 * num_roundings * digit * (1 + 1e-9) + slack


class Reader:
    """Reads the numbers of a text one after the other, and compares each."""

    def __init__(self, text):
        self.text, self._numbers = text, find_numbers(text)

    def take(self, expected, size=0.0, num_roundings=1):
        assert self._numbers, f"{expected} is missing at the end of:\n{self.text}"
        written = self._numbers.pop(0)
        assert is_written(written, float(expected), size, num_roundings), (
            f"{written} is written, {expected} is right, in:\n{self.text}"
        )

    def take_all(self, *expected):
        for each in expected:
            self.take(each)

    def take_index(self):
        return int(self._numbers.pop(0))

    def finish(self):
        assert not self._numbers, f"{self._numbers} were not compared, in:\n{self.text}"
