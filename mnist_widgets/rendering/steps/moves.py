"""The five moves of a training step, in the order of the tutorial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mnist_widgets.rendering.steps.backward_move import show_backward
from mnist_widgets.rendering.steps.data_move import show_data
from mnist_widgets.rendering.steps.forward_move import show_forward
from mnist_widgets.rendering.steps.loss_move import show_loss
from mnist_widgets.rendering.steps.update_move import show_update
from mnist_widgets.rendering.steps.view import MoveView


@dataclass(frozen=True)
class Move:
    """One of the five moves.

    Attributes:
        name: as in the tutorial.
        event: the move's name in `StepRecord.events` and `lines`; None for data sampling.
        summary: what the move does, in a sentence.
        show: takes a `StepRecord` and a `StepChoice`, returns a `MoveView`; that of the last move
            also takes a `LossComparison`.
    """

    name: str
    event: str | None
    summary: str
    show: Callable[..., MoveView]


MOVES = (
    Move("Data sampling", None, "The training takes a batch of images and labels.", show_data),
    Move(
        "Forward pass",
        "forward",
        "The network computes a score for each class of each image.",
        show_forward,
    ),
    Move(
        "Loss computation",
        "loss",
        "The loss function compares the scores with the labels: one number, small if they fit.",
        show_loss,
    ),
    Move(
        "Backward pass",
        "backward",
        "PyTorch computes each weight's gradient: how fast the loss grows when the weight grows.",
        show_backward,
    ),
    Move(
        "Parameters update",
        "update",
        "The optimizer changes each weight a little, against its gradient.",
        show_update,
    ),
)
