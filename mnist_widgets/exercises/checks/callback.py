"""Check early stopping in training runs with scripted test losses.

The hints are in hints/callback.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.recorders import ScriptedEvaluator
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe, require_result
from mnist_widgets.exercises.scripted_training import count_epochs, make_trainer
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.trainer import Callback

_FALLING = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
_RISING = _FALLING[::-1]
_RISING_ACCURACIES = [epoch / 20 for epoch in range(1, 13)]
_FALLING_ACCURACIES = _RISING_ACCURACIES[::-1]
_BEST_IN_EPOCH_3 = [1.0, 0.9, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25]
_UP_AND_DOWN = [1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.75, 0.6]
_NEVER_AS_GOOD_AGAIN = [1.0, 0.5, 0.9, 0.8, 0.7, 0.6, 0.58, 0.55]
_CONSTANT = [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]


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
        read_hints("callback"),
        {
            "It returns a callback": criteria.check_making,
            "Training continues while the test loss falls": criteria.check_falling,
            "It stops after `patience` epochs without improvement": criteria.check_rising,
            "Another patience stops it at another epoch": criteria.check_patience,
            "An improvement resets the count": criteria.check_count,
            "Each epoch is compared with the best so far": criteria.check_comparison,
            "An equal loss is no improvement": criteria.check_standstill,
            "In a session it works again after a reset": criteria.check_session,
        },
    )


class _Criteria:
    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make

    def check_making(self) -> str:
        if isinstance(self._make, Callback):
            raise Mistake("callback_given", "expected a class or function, found a callback")
        callback = self._make(2)
        require_result(callback, self._make)
        if isinstance(callback, type) or not isinstance(callback, Callback):
            raise Mistake("not_a_callback", f"expected a Callback, found {describe(callback)}")
        return f"make(2) gave {describe(callback)}"

    def check_falling(self) -> str:
        """The training loss rises meanwhile, to recognize a callback that uses it."""
        num_epochs = self._train(2, _FALLING, train_losses=_RISING)
        found = f"patience 2: expected all 8 epochs, found {num_epochs}"
        if num_epochs == len(_FALLING):
            return found
        if self._train(2, _FALLING, train_losses=_FALLING) == len(_FALLING):
            raise Mistake("watches_training_loss", found)
        if self._train(2, _FALLING, accuracies=_FALLING_ACCURACIES) == len(_FALLING):
            raise Mistake("watches_accuracy", found)
        name = "wrong_direction" if num_epochs >= 3 else "stops_whatever_happens"
        raise Mistake(name, found)

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
        if num_epochs == 4:
            raise Mistake("stops_at_first_rise", found)
        if self._train(5, _BEST_IN_EPOCH_3) == num_epochs:
            raise Mistake("ignores_patience", f"{found}, and the same with patience 5")
        names = {5: "one_epoch_too_early", 7: "one_epoch_too_late"}
        raise Mistake(names.get(num_epochs, "stops_at_the_wrong_time"), found)

    def check_patience(self) -> str:
        return self._expect_end(1, _BEST_IN_EPOCH_3, 4, "ignores_patience")

    def check_count(self) -> str:
        return self._expect_end(2, _UP_AND_DOWN, len(_UP_AND_DOWN), "count_not_reset")

    def check_comparison(self) -> str:
        return self._expect_end(3, _NEVER_AS_GOOD_AGAIN, 5, "compares_with_last")

    def check_standstill(self) -> str:
        return self._expect_end(2, _CONSTANT, 4, "equal_counts_as_better")

    def check_session(self) -> str:
        metrics = {"test_loss": _BEST_IN_EPOCH_3, "test_accuracy": _RISING_ACCURACIES}
        evaluator = ScriptedEvaluator(metrics)
        trainer = make_trainer(self._make(2), evaluator, _FALLING)
        ends = []
        with closing(TrainingSession(trainer)) as session:
            for _ in range(2):
                session.start(len(_BEST_IN_EPOCH_3))
                session.join()
                ends.append(trainer.history.num_epochs)
                session.reset()
                evaluator.num_calls = 0
        found = (
            f"patience 2, lowest loss in epoch 3: expected stops after epoch 5 and 5, found after "
            f"{ends[0]} and {ends[1]}"
        )
        if ends != [5, 5]:
            raise Mistake("keeps_its_state" if ends[0] == 5 else "fails_in_session", found)
        return found

    def _expect_end(self, patience: int, losses: Sequence[float], epoch: int, mistake: str) -> str:
        num_epochs = self._train(patience, losses)
        found = (
            f"patience {patience}, test losses {', '.join(map(str, losses[:7]))}, ...: expected "
            f"{_name_end(epoch, losses)}, found {_name_end(num_epochs, losses)}"
        )
        if num_epochs != epoch:
            raise Mistake(mistake, found)
        return found

    def _train(
        self,
        patience: int,
        losses: Sequence[float],
        train_losses: Sequence[float] = _FALLING,
        accuracies: Sequence[float] = _RISING_ACCURACIES,
    ) -> int:
        return count_epochs(self._make(patience), losses, train_losses, accuracies)


def _overrides_hook(callback: Callback) -> bool:
    """Whether it overrides a hook that can read losses."""
    hooks = ("on_epoch_end", "on_batch_end", "on_epoch_begin")
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)


def _name_end(num_epochs: int, losses: Sequence[float]) -> str:
    return "no stop" if num_epochs == len(losses) else f"a stop after epoch {num_epochs}"
