"""Train with scripted losses, to test a callback."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from itertools import chain, repeat

import torch
from torch import nn

from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.recorders import ScriptedEvaluator
from mnist_widgets.training.trainer import Callback, Trainer


def count_epochs(
    callback: Callback,
    losses: Sequence[float],
    train_losses: Sequence[float],
    accuracies: Sequence[float],
) -> int:
    """Train one epoch for each loss, unless the callback stops; return the number of epochs.

    Args:
        callback: may request a stop.
        losses: the `test_loss` after each epoch.
        train_losses: the training loss of each epoch.
        accuracies: the `test_accuracy` after each epoch.

    Raises:
        Mistake: `raises_to_stop` if the callback raised an error to stop the training.
    """
    evaluator = ScriptedEvaluator({"test_loss": losses, "test_accuracy": accuracies})
    trainer = make_trainer(callback, evaluator, train_losses)
    try:
        trainer.fit(len(losses))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if _is_meant_as_stop(error):
            found = f"{type(error).__name__} was raised in epoch {trainer.history.num_epochs}"
            raise Mistake("raises_to_stop", found) from error
        raise
    return trainer.history.num_epochs


def make_trainer(
    callback: Callback, evaluator: ScriptedEvaluator, train_losses: Sequence[float]
) -> Trainer:
    """Return a trainer with two batches in an epoch and scripted training losses."""
    upcoming = chain.from_iterable((loss, loss) for loss in train_losses)
    losses = chain(upcoming, repeat(train_losses[-1]))
    model = nn.Linear(1, 1)
    return Trainer(
        model,
        nn.MSELoss(),
        torch.optim.SGD(model.parameters(), lr=0.1),
        [(torch.ones(1, 1), torch.ones(1, 1))] * 2,
        evaluator=evaluator,
        callbacks=[callback],
        train_step=lambda *_: next(losses),
        device="cpu",
    )


def _is_meant_as_stop(error: BaseException) -> bool:
    """Whether an error seems to be raised on purpose."""
    if isinstance(error, KeyboardInterrupt):  # a signal interrupts lines of another kind
        return (traceback.extract_tb(error.__traceback__)[-1].line or "").startswith("raise")
    module = type(error).__module__.partition(".")[0]
    own = module not in {"builtins", "torch", "mnist_widgets"}
    return own or type(error) in {Exception, RuntimeError, StopIteration, SystemExit}
