"""The twelve sick trainings by their numbers, and a healthy one."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_widgets.runs.clinic import choices, trainings
from mnist_widgets.runs.clinic.trainings import Recipe
from mnist_widgets.runs.run_config import RunConfig

EPOCHS = 30
"""After so many epochs the evidence of each training can be seen."""


@dataclass(frozen=True)
class Case:
    """A sick training.

    Attributes:
        fault: one of `choices.FAULTS`.
        evidence: one of `choices.EVIDENCE`.
        explanation: a sentence that connects them.
        recipe: builds it.
    """

    fault: str
    evidence: str
    explanation: str
    recipe: Recipe


def _configure(
    optimizer: str, learning_rate: float, *, hidden: int = 32, batch: int = 32
) -> RunConfig:
    return RunConfig(optimizer, learning_rate, batch, hidden)


HEALTHY = Recipe(_configure("adam", 0.003))

CASES = {
    1: Case(
        choices.RATE_TOO_LOW,
        choices.SLOW_FALL,
        "Each update goes in the right direction, but not far. A rate 100 times as high is usual "
        "for this optimizer.",
        Recipe(_configure("sgd", 0.0008)),
    ),
    2: Case(
        choices.MISSING_CLASS,
        choices.EMPTY_COLUMN,
        "The network has never seen this digit, so it takes all its images for other digits.",
        Recipe(_configure("adam", 0.0005), trainings.leave_out_a_digit),
    ),
    3: Case(
        choices.UNSCALED,
        choices.LARGE_START,
        "Pixels from 0 to 255 make the first scores hundreds of times too large, and the network "
        "is very sure of wrong answers.",
        Recipe(_configure("adam", 0.001), change=trainings.multiply_pixels),
    ),
    4: Case(
        choices.NEVER_CLEARED,
        choices.FALL_AND_RISE,
        "The sum of all gradients so far points in a useful direction at first. Then it grows, and "
        "the updates go further and further past the goal.",
        Recipe(_configure("sgd", 0.05), clears=False),
    ),
    5: Case(
        choices.OVERFITTING,
        choices.GAP,
        "The network memorizes its few training images, and becomes too sure of wrong answers on "
        "others.",
        Recipe(_configure("adam", 0.02, hidden=64, batch=8), trainings.keep_some(48)),
    ),
    6: Case(
        choices.NO_BACKWARD,
        choices.NO_CHANGE,
        "Without gradients, the optimizer changes nothing. The loss of the batches varies only "
        "because their images differ.",
        Recipe(_configure("sgd", 0.1), computes=False),
    ),
    7: Case(
        choices.PROBABILITIES,
        choices.FLOOR,
        "Cross-entropy applies softmax to its input. If that is already between 0 and 1, the loss "
        "cannot fall below ln(1 + 9/e) = 1.46.",
        Recipe(_configure("adam", 0.003), change=trainings.add_softmax),
    ),
    8: Case(
        choices.UNRELATED,
        choices.CHANCE,
        "The network can memorize which image has which label. There is nothing to learn that "
        "helps with other images.",
        Recipe(_configure("adam", 0.003, hidden=64, batch=8), trainings.shuffle_labels),
    ),
    9: Case(
        choices.DEAD_UNITS,
        choices.SAME_ANSWER,
        "All hidden units are 0 for all images, so the scores are the biases of the last layer.",
        Recipe(_configure("sgd", 1.0), change=trainings.lower_biases),
    ),
    10: Case(
        choices.MISSING_PARAMETERS,
        choices.LEVEL_OFF,
        "Only the last layer learns. The random features of the hidden layer are good for most "
        "images, but not for all, in training and test alike.",
        Recipe(_configure("adam", 0.03), change=trainings.forget_hidden_layer),
    ),
    11: Case(
        choices.RATE_TOO_HIGH,
        choices.JUMP,
        "The first updates overshoot: the weights become large, and with them the loss.",
        Recipe(_configure("adam", 0.1, hidden=64)),
    ),
    12: Case(
        choices.LEAKED,
        choices.ALL_RIGHT,
        "The network was trained with the images that test it. A few handwritten digits are always "
        "misread if they are new.",
        Recipe(_configure("adam", 0.005), trainings.include_test_images),
    ),
}
