"""Measure the trainings of the clinic, and which evidence is true of each.

For each training and each of three seeds it prints the numbers that the panels show after 30
epochs, and the evidence that is true; `*` marks evidence that the case does not name. The tests use
it with the seed of the clinic. The docstring of `mnist_widgets.runs.clinic.cases` has the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from mnist_widgets import Trainer, confusion_matrix, load_bundled_digits, predict_probabilities
from mnist_widgets.rendering.captions import format_loss
from mnist_widgets.runs.clinic import choices
from mnist_widgets.runs.clinic.cases import CASES, EPOCHS, HEALTHY

SEEDS = range(3)
TITLES = "first  max of epoch 1  min  train  test min  test  accuracy 1  accuracy  empty columns"


@dataclass
class Observed:
    """What the panels show after a training.

    Attributes:
        batch_losses, train, test_loss, accuracy: of each batch, and of each epoch.
        num_batches: in an epoch.
        counts: the confusion matrix, counts[true, predicted].
    """

    batch_losses: list[float]
    train: list[float]
    test_loss: list[float]
    accuracy: list[float]
    num_batches: int
    counts: Tensor

    @classmethod
    def after(cls, trainer: Trainer, epochs: int) -> Observed:
        """Train, and return what the panels show then."""
        history = trainer.fit(epochs)
        test_set = load_bundled_digits()[1]
        predicted = predict_probabilities(trainer.model, test_set.images).argmax(dim=1)
        return cls(
            history.batch_losses,
            history["train"],
            history["test_loss"],
            history["test_accuracy"],
            trainer.num_batches,
            confusion_matrix(test_set.labels, predicted),
        )

    @property
    def first_epoch(self) -> list[float]:
        """The losses of its batches."""
        return self.batch_losses[: self.num_batches]

    @property
    def last_epoch(self) -> list[float]:
        """The losses of its batches."""
        return self.batch_losses[-self.num_batches :]

    def num_empty_columns(self) -> int:
        """Return the number of digits that are never given as an answer."""
        return int((self.counts.sum(dim=0) == 0).sum())

    def share_beside_diagonal(self) -> float:
        """Return the share of images that are taken for the next digit."""
        beside = sum(int(self.counts[digit, (digit + 1) % 10]) for digit in range(10))
        return beside / int(self.counts.sum())

    def num_teeth(self) -> int:
        """Return how often the loss rises from below 0.3 to above 1.5 in the last epoch."""
        low, num_found = False, 0
        for loss in self.last_epoch:
            num_found += low and loss > 1.5
            low = loss < 0.3 or (low and loss <= 1.5)
        return num_found

    def find_evidence(self) -> list[str]:
        """Return the evidence that is true."""
        return [evidence for evidence, is_true in IS_TRUE.items() if is_true(self)]

    def to_text(self) -> str:
        """Return the numbers, in the order of `TITLES`."""
        first, highest, lowest = self.batch_losses[0], max(self.first_epoch), min(self.batch_losses)
        losses = [first, highest, lowest, self.train[-1], min(self.test_loss), self.test_loss[-1]]
        shares = [100 * self.accuracy[0], 100 * self.accuracy[-1]]
        numbers = [*(f"{loss:.2f}" for loss in losses), *(f"{share:.1f}" for share in shares)]
        return "  ".join([*numbers, str(self.num_empty_columns())])


IS_TRUE = {
    choices.LARGE_START: lambda seen: seen.batch_losses[0] > 10,
    choices.JUMP: lambda seen: seen.batch_losses[0] < 3 and max(seen.first_epoch) > 10,
    choices.FALL_AND_RISE: lambda seen: (
        min(seen.first_epoch) < 1 and seen.train[-1] > seen.batch_losses[0]
    ),
    choices.SLOW_FALL: lambda seen: (
        all(after <= before for before, after in pairwise(seen.test_loss))
        and seen.test_loss[0] - 0.1 > seen.test_loss[-1] > 2
    ),
    choices.NO_CHANGE: lambda seen: (
        len(set(map(format_loss, seen.test_loss))) == len(set(seen.accuracy)) == 1
    ),
    choices.FLOOR: lambda seen: min(seen.batch_losses) > 1.46 and seen.accuracy[-1] > 0.9,
    choices.LEVEL_OFF: lambda seen: (
        0.2 < seen.train[-1] < 1
        and abs(seen.test_loss[-1] - seen.train[-1]) < 0.15
        and max(seen.test_loss[-5:]) - min(seen.test_loss[-5:]) < 0.05
    ),
    choices.CHANCE: lambda seen: seen.train[-1] < 2 and max(seen.accuracy) < 0.25,
    choices.ALL_RIGHT: lambda seen: max(seen.accuracy) == 1,
    choices.GAP: lambda seen: (
        seen.train[-1] < 0.05 and seen.test_loss[-1] > max(0.5, 1.2 * min(seen.test_loss))
    ),
    choices.SAME_ANSWER: lambda seen: (
        seen.num_empty_columns() == 9 and all(0.09 < share < 0.115 for share in seen.accuracy)
    ),
    choices.EMPTY_COLUMN: lambda seen: seen.num_empty_columns() == 1 and seen.accuracy[-1] > 0.8,
    choices.BESIDE: lambda seen: seen.share_beside_diagonal() > 0.5,
    choices.SAWTOOTH: lambda seen: seen.num_teeth() >= 8,
}


def main() -> None:
    """Print the numbers of all trainings."""
    print(TITLES)
    recipes = {0: HEALTHY, **{number: case.recipe for number, case in CASES.items()}}
    for number, recipe in recipes.items():
        named = {CASES[number].evidence} if number else set()
        for seed in SEEDS:
            seen = Observed.after(recipe.build(seed, "cpu"), EPOCHS)
            marks = {
                evidence: "" if evidence in named else "*" for evidence in seen.find_evidence()
            }
            true = "; ".join(f"{mark}{evidence}" for evidence, mark in marks.items())
            print(f"{number:2} {seed}  {seen.to_text()}  {true}")


if __name__ == "__main__":
    main()
