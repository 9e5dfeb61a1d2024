"""Check early stopping in training runs with scripted test losses.

The hints are in hints/callback.md.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, repeat
from typing import Any

import torch
from torch import nn

from mnist_widgets.exercises.mistakes import Mistake, rule_out
from mnist_widgets.exercises.recorders import ScriptedEvaluator
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe, require_result
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.trainer import Trainer

_FALLING = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
_RISING = _FALLING[::-1]
_RISING_ACCURACIES = [epoch / 20 for epoch in range(1, 13)]
_FALLING_ACCURACIES = _RISING_ACCURACIES[::-1]
_BEST_IN_EPOCH_3 = [1.0, 0.9, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25]
_UP_AND_DOWN = [1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.75, 0.6]
_NEVER_AS_GOOD_AGAIN = [1.0, 0.5, 0.9, 0.8, 0.7, 0.6, 0.58, 0.55]
_CONSTANT = [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
# By claim: the patience, the test losses, the expected last epoch, and the mistake if it differs
_ENDS = {
    "Another patience stops it at another epoch": (1, _BEST_IN_EPOCH_3, 4, "ignores_patience"),
    "An improvement resets the count": (2, _UP_AND_DOWN, 8, "count_not_reset"),
    "Each epoch is compared with the best so far": (
        3,
        _NEVER_AS_GOOD_AGAIN,
        5,
        "compares_with_last",
    ),
    "An equal loss is no improvement": (2, _CONSTANT, 4, "equal_counts_as_better"),
}


def check_callback(make: Callable[[int], Callback]) -> Verdict:
    """Check a callback that stops training when the test loss no longer improves.

    The check uses it in a `Trainer` and in a `TrainingSession` with scripted test losses.

    Args:
        make: called as `make(patience)`, returns a `Callback`; usually its class. The callback
            calls `trainer.request_stop()` after `patience` epochs in a row whose `test_loss` is
            not below the lowest so far. It starts again with each new run.

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(make)
    return run_check(
        "check_callback",
        {
            "It returns a callback": criteria.check_making,
            "Training continues while the test loss falls": criteria.check_falling,
            "It stops after `patience` epochs without improvement": criteria.check_rising,
            **{claim: partial(criteria.check_end, *case) for claim, case in _ENDS.items()},
            "In a session it works again after a reset": criteria.check_session,
        },
    )


class _Criteria:
    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make

    def check_making(self) -> str:
        found = "expected a class or function, found a callback"
        rule_out(found, {"callback_given": isinstance(self._make, Callback)})
        callback = self._make(2)
        require_result(callback, self._make)
        is_other = isinstance(callback, type) or not isinstance(callback, Callback)
        found = f"make(2): expected a Callback, found {describe(callback)}"
        return rule_out(found, {"not_a_callback": is_other})

    def check_falling(self) -> str:
        """Let the test loss fall and the training loss rise, to recognize which one it watches."""
        num_epochs = self._train(2, _FALLING, train_losses=_RISING)
        found = f"patience 2: expected all 8 epochs, found {num_epochs}"
        if num_epochs == len(_FALLING):
            return found
        num_other_losses = self._train(2, _FALLING, train_losses=_FALLING)
        num_other_accuracies = self._train(2, _FALLING, accuracies=_FALLING_ACCURACIES)
        mistakes = {
            "watches_training_loss": num_other_losses == len(_FALLING),
            "watches_accuracy": num_other_accuracies == len(_FALLING),
            "wrong_direction": num_epochs >= 3,
            "stops_whatever_happens": True,
        }
        return rule_out(found, mistakes)

    def check_rising(self) -> str:
        num_epochs = self._train(3, _BEST_IN_EPOCH_3)
        found = (
            f"patience 3, lowest loss in epoch 3: expected a stop after epoch 6, found "
            f"{_name_end(num_epochs, _BEST_IN_EPOCH_3)}"
        )
        if num_epochs == len(_BEST_IN_EPOCH_3):
            if self._train(3, _BEST_IN_EPOCH_3, accuracies=_FALLING_ACCURACIES) < num_epochs:
                raise Mistake("watches_accuracy", found)
            name = "never_stops" if _overrides_hook(self._make(3)) else "hook_never_called"
            raise Mistake(name, found)
        if num_epochs == 6:
            return found
        rule_out(found, {"stops_at_first_rise": num_epochs == 4})
        if self._train(5, _BEST_IN_EPOCH_3) == num_epochs:
            raise Mistake("ignores_patience", f"{found}, and the same with patience 5")
        names = {5: "one_epoch_too_early", 7: "one_epoch_too_late"}
        raise Mistake(names.get(num_epochs, "stops_at_the_wrong_time"), found)

    def check_session(self) -> str:
        metrics = {"test_loss": _BEST_IN_EPOCH_3, "test_accuracy": _RISING_ACCURACIES}
        evaluator = ScriptedEvaluator(metrics)
        trainer = _make_trainer(self._make(2), evaluator, _FALLING)
        ends = []
        with closing(TrainingSession(trainer)) as session:
            for _ in range(2):
                session.start(len(_BEST_IN_EPOCH_3))
                session.join()
                ends.append(trainer.history.num_epochs)
                session.reset()
                evaluator.log.evaluations.clear()
        found = (
            f"patience 2, lowest loss in epoch 3: expected stops after epoch 5 and 5, found after "
            f"{ends[0]} and {ends[1]}"
        )
        return rule_out(found, {"fails_in_session": ends[0] != 5, "keeps_its_state": ends[1] != 5})

    def check_end(self, patience: int, losses: Sequence[float], epoch: int, mistake: str) -> str:
        num_epochs = self._train(patience, losses)
        found = (
            f"patience {patience}, test losses {', '.join(map(str, losses[:7]))}, ...: expected "
            f"{_name_end(epoch, losses)}, found {_name_end(num_epochs, losses)}"
        )
        return rule_out(found, {mistake: num_epochs != epoch})

    def _train(
        self,
        patience: int,
        losses: Sequence[float],
        train_losses: Sequence[float] = _FALLING,
        accuracies: Sequence[float] = _RISING_ACCURACIES,
    ) -> int:
        """Train one epoch for each test loss, unless the callback stops; count the epochs."""
        evaluator = ScriptedEvaluator({"test_loss": losses, "test_accuracy": accuracies})
        trainer = _make_trainer(self._make(patience), evaluator, train_losses)
        try:
            trainer.fit(len(losses))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if _is_meant_as_stop(error):
                found = f"{type(error).__name__} was raised in epoch {trainer.history.num_epochs}"
                raise Mistake("raises_to_stop", found) from error
            raise
        return trainer.history.num_epochs


def _overrides_hook(callback: Callback) -> bool:
    """Whether it overrides a hook that can read losses."""
    hooks = ("on_epoch_end", "on_batch_end", "on_epoch_begin")
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)


def _name_end(num_epochs: int, losses: Sequence[float]) -> str:
    return "no stop" if num_epochs == len(losses) else f"a stop after epoch {num_epochs}"


def _make_trainer(
    callback: Callback, evaluator: ScriptedEvaluator, train_losses: Sequence[float]
) -> Trainer:
    """Return a trainer with two batches in an epoch and scripted training losses."""
    losses = chain((loss for loss in train_losses for _ in range(2)), repeat(train_losses[-1]))
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
    """Whether the callback seems to raise an error in order to stop the training."""
    if isinstance(error, KeyboardInterrupt):  # Ctrl-C rarely arrives in a line with `raise`
        return (traceback.extract_tb(error.__traceback__)[-1].line or "").startswith("raise")
    module = type(error).__module__.partition(".")[0]
    own = module not in {"builtins", "torch", "mnist_widgets"}
    return own or type(error) in {Exception, RuntimeError, StopIteration, SystemExit}
