"""The faults and the evidence that a student chooses from in the clinic."""

from __future__ import annotations

from collections.abc import Collection

RATE_TOO_HIGH = "rate too high"
RATE_TOO_LOW = "rate too low"
NEVER_CLEARED = "gradients never cleared"
NO_BACKWARD = "no backward"
PROBABILITIES = "probabilities into a loss for scores"
MISSING_PARAMETERS = "trainable parameters missing from the optimizer"
UNSCALED = "inputs not scaled"
UNRELATED = "labels that have nothing to do with the images"
LEAKED = "test images in the training batches"
OVERFITTING = "overfitting"
DEAD_UNITS = "dead units"
EVALUATION_MODE = "evaluation mode left on"
MISSING_CLASS = "a class missing from the training images"
IN_ORDER = "training images in the order of their classes"
SHIFTED = "labels shifted by one class"

FAULTS = tuple(
    sorted(
        [
            *(RATE_TOO_HIGH, RATE_TOO_LOW, NEVER_CLEARED, NO_BACKWARD, PROBABILITIES),
            *(MISSING_PARAMETERS, UNSCALED, UNRELATED, LEAKED, OVERFITTING, DEAD_UNITS),
            *(EVALUATION_MODE, MISSING_CLASS, IN_ORDER, SHIFTED),
        ]
    )
)
"""The faults that are offered; three of them are in no training.

Those that a `HealthMonitor` reports have the names of its findings.
"""

LARGE_START = "the loss of the first batch is above 10"
JUMP = "the loss begins near 2.3 and jumps above 10 in the first epoch"
FALL_AND_RISE = "the loss falls below 1 at first and ends above its start"
SLOW_FALL = "the loss falls slowly all the time and is still above 2 after 30 epochs"
NO_CHANGE = "test loss and accuracy are exactly the same after each epoch"
FLOOR = "the loss stays above 1.46 although 90 % of the test images are right"
LEVEL_OFF = "training and test loss level off together between 0.2 and 1"
CHANCE = "the training loss falls below 2 while the accuracy stays near 10 %"
ALL_RIGHT = "the accuracy reaches 100 % of the test images"
GAP = "the training loss ends below 0.05 and the test loss, risen again, above 0.5"
SAME_ANSWER = "after each epoch, all test images get the same answer"
EMPTY_COLUMN = "one column of the matrix is empty and the others are mostly right"
BESIDE = "most images are counted just beside the diagonal of the matrix"
SAWTOOTH = "the loss falls near 0 and jumps above 1.5, ten times in each epoch"

EVIDENCE = tuple(
    sorted(
        [
            *(LARGE_START, JUMP, FALL_AND_RISE, SLOW_FALL, NO_CHANGE, FLOOR, LEVEL_OFF, CHANCE),
            *(ALL_RIGHT, GAP, SAME_ANSWER, EMPTY_COLUMN, BESIDE, SAWTOOTH),
        ]
    )
)
"""The evidence that is offered: numbers that the panels show; two of them are in no training."""

PLACES = {
    LARGE_START: "the loss after the first batch: Reset, then Step",
    JUMP: "the highest losses at the left of the loss chart",
    FALL_AND_RISE: "the losses at the left and at the right end of the loss chart",
    SLOW_FALL: "the test loss in the table that Data opens below the loss chart",
    NO_CHANGE: "test loss and accuracy in the table that Data opens below the loss chart",
    FLOOR: "the lowest loss, and the accuracy above the matrix",
    LEVEL_OFF: "the end of both lines of the loss chart, training and test",
    CHANCE: "the mean loss of the last epoch, and the accuracy above the matrix",
    ALL_RIGHT: "the accuracy above the matrix",
    GAP: "the end of both lines of the loss chart, training and test",
    SAME_ANSWER: "the columns of the confusion matrix",
    EMPTY_COLUMN: "the columns of the confusion matrix",
    BESIDE: "the cells of the confusion matrix beside its diagonal",
    SAWTOOTH: "the losses of the batches of one epoch in the loss chart",
}
"""Where the panels show each piece of evidence."""


def find_choice(text: object, choices: Collection[str]) -> str | None:
    """Return the choice that a text names, or None.

    Capital letters, spaces at the ends, repeated spaces and a final period make no difference.
    """
    if not isinstance(text, str):
        return None
    words = " ".join(text.lower().rstrip(". \n").split())
    return next((choice for choice in choices if choice.lower() == words), None)
