"""The twelve sick trainings by their numbers, and a healthy one.

The numbers after 30 epochs with the seeds 0, 1 and 2, 0 being that of the clinic; 0 is the healthy
training. `benchmarks/clinic_numbers.py` measures them: the loss of the first batch, the highest of
the first epoch and the lowest of all; the mean of the last epoch; the test loss, lowest and last;
the test accuracy in per cent; the empty columns of the matrix. In all 36 trainings the evidence of
the case is true and no other is.

| no. | first loss       | highest          | lowest           | last mean        |
|-----|------------------|------------------|------------------|------------------|
|   0 | 2.32 2.30 2.27   | 2.32 2.30 2.30   | 0.00 0.00 0.00   | 0.03 0.04 0.03   |
|   1 | 2.32 2.30 2.27   | 2.36 2.35 2.32   | 2.04 2.08 2.01   | 2.10 2.14 2.07   |
|   2 | 2.29 2.28 2.30   | 2.32 2.33 2.30   | 0.02 0.02 0.03   | 0.08 0.08 0.08   |
|   3 | 29.41 22.33 19.39 | 29.41 22.33 19.39 | 0.00 0.00 0.01   | 0.06 0.02 0.19   |
|   4 | 2.32 2.30 2.27   | 2.32 2.31 2.31   | 0.31 0.20 0.23   | 2.74 3.06 4.30   |
|   5 | 2.29 2.33 2.29   | 3.99 2.82 3.55   | 0.00 0.00 0.00   | 0.00 0.00 0.00   |
|   6 | 2.32 2.30 2.27   | 2.36 2.36 2.32   | 2.23 2.23 2.26   | 2.32 2.31 2.30   |
|   7 | 2.30 2.30 2.30   | 2.30 2.30 2.30   | 1.46 1.46 1.46   | 1.47 1.48 1.47   |
|   8 | 2.29 2.31 2.29   | 2.74 2.54 2.72   | 1.01 0.60 0.65   | 1.33 1.48 1.19   |
|   9 | 2.31 2.30 2.28   | 2.36 2.34 2.35   | 2.24 2.26 2.24   | 2.31 2.31 2.31   |
|  10 | 2.32 2.30 2.27   | 2.32 2.30 2.31   | 0.10 0.22 0.15   | 0.27 0.48 0.36   |
|  11 | 2.31 2.29 2.33   | 26.09 19.35 19.51 | 1.04 0.81 0.37   | 1.55 1.53 0.91   |
|  12 | 2.33 2.26 2.29   | 2.33 2.41 2.34   | 0.00 0.00 0.00   | 0.00 0.01 0.01   |

| no. | lowest test loss | last test loss   | accuracy         | empty columns    |
|-----|------------------|------------------|------------------|------------------|
|   0 | 0.10 0.11 0.09   | 0.12 0.12 0.09   | 96.1 96.4 97.2   | 0 0 0            |
|   1 | 2.10 2.15 2.07   | 2.10 2.15 2.07   | 47.1 43.5 57.1   | 1 1 2            |
|   2 | 1.04 1.03 1.13   | 1.10 1.08 1.24   | 87.5 87.5 88.0   | 1 1 1            |
|   3 | 0.21 0.17 0.40   | 0.24 0.23 0.43   | 95.5 95.0 87.7   | 0 0 0            |
|   4 | 0.86 1.09 0.82   | 2.73 2.66 3.43   | 13.9 10.0 10.0   | 8 9 9            |
|   5 | 0.87 0.86 0.83   | 1.08 1.07 1.13   | 76.3 72.7 75.2   | 0 0 0            |
|   6 | 2.32 2.31 2.30   | 2.32 2.31 2.30   | 12.0 8.4 13.1    | 7 7 6            |
|   7 | 1.50 1.50 1.49   | 1.51 1.50 1.50   | 95.8 97.5 96.9   | 0 0 0            |
|   8 | 2.35 2.24 2.32   | 4.04 2.62 3.70   | 12.3 14.2 15.3   | 0 0 0            |
|   9 | 2.30 2.30 2.30   | 2.31 2.31 2.31   | 10.0 10.0 10.0   | 9 9 9            |
|  10 | 0.33 0.53 0.38   | 0.33 0.53 0.38   | 90.5 84.7 91.6   | 0 0 0            |
|  11 | 1.58 1.44 0.89   | 1.93 1.60 0.89   | 34.5 39.6 58.8   | 5 3 3            |
|  12 | 0.00 0.00 0.01   | 0.00 0.00 0.01   | 100.0 100.0 100.0 | 0 0 0            |
"""

from __future__ import annotations

from dataclasses import dataclass

from mnist_widgets.runs.clinic import choices, trainings
from mnist_widgets.runs.clinic.trainings import Recipe
from mnist_widgets.runs.run_config import RunConfig

EPOCHS = 30
"""After this many epochs, the evidence of each training is visible."""


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
