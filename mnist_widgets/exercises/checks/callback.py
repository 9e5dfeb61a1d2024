"""Judges a student's early stopping by real trainings whose test losses are planted.

How such trainings are made is left to `planted`; the words of the hints are in hints/callback.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.recorders import PlantedEvaluator
from mnist_widgets.exercises.runner import examine
from mnist_widgets.exercises.sandbox import describe, refuse_nothing
from mnist_widgets.exercises.scripted_training import count_epochs, make_trainer
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.session import TrainingSession
from mnist_widgets.training import Callback

_FALLING = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
_RISING = _FALLING[::-1]
_ACCURACY_RISES = [epoch / 20 for epoch in range(1, 13)]
_ACCURACY_FALLS = _ACCURACY_RISES[::-1]
_BEST_IN_EPOCH_3 = [1.0, 0.9, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25]
_UP_AND_DOWN = [1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.75, 0.6]
_NEVER_AS_GOOD_AGAIN = [1.0, 0.5, 0.9, 0.8, 0.7, 0.6, 0.58, 0.55]
_STANDING_STILL = [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]


def check_callback(make: Callable[[int], Callback]) -> Verdict:
    """Check a callback that stops a training once the test loss no longer improves.

    The check hangs it into real trainings, in the foreground and in a `TrainingSession`, whose
    evaluator reports planted test losses.

    Args:
        make: called as `make(patience)`, gives a `Callback`; usually its class. After `patience`
            epochs in a row whose `test_loss` is not below the lowest so far, it calls
            `trainer.request_stop()`. It begins anew with each new training.

    Returns:
        The verdict; nothing the student's code does is raised.
    """
    trial = _Trial(make)
    return examine(
        "check_callback",
        read_hints("callback"),
        {
            "It makes a callback": trial.judge_making,
            "A training whose test loss falls goes on": trial.judge_falling,
            "One whose test loss rises is stopped when patience ends": trial.judge_rising,
            "Another patience ends at another time": trial.judge_patience,
            "An improvement begins the count anew": trial.judge_count,
            "Each epoch is compared with the best so far": trial.judge_comparison,
            "As good as before is no improvement": trial.judge_standstill,
            "In a session it works again after a reset": trial.judge_session,
        },
    )


class _Trial:
    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make

    def judge_making(self) -> str:
        if isinstance(self._make, Callback):
            raise Mistake("callback_given", "expected what makes a callback, found a callback")
        callback = self._make(2)
        refuse_nothing(callback, self._make)
        if isinstance(callback, type) or not isinstance(callback, Callback):
            raise Mistake("not_a_callback", f"expected a Callback, found {describe(callback)}")
        return f"make(2) gave {describe(callback)}"

    def judge_falling(self) -> str:
        """The training loss rises meanwhile, so that whoever watches that one shows."""
        num_epochs = self._train(2, _FALLING, train_losses=_RISING)
        found = f"patience 2: expected all 8 epochs, found {num_epochs}"
        if num_epochs == len(_FALLING):
            return found
        if self._train(2, _FALLING, train_losses=_FALLING) == len(_FALLING):
            raise Mistake("watches_training_loss", found)
        if self._train(2, _FALLING, accuracies=_ACCURACY_FALLS) == len(_FALLING):
            raise Mistake("watches_accuracy", found)
        name = "wrong_direction" if num_epochs >= 3 else "stops_whatever_happens"
        raise Mistake(name, found)

    def judge_rising(self) -> str:
        num_epochs = self._train(3, _BEST_IN_EPOCH_3)
        found = (
            f"patience 3, lowest loss in epoch 3: expected a stop after epoch 6, found "
            f"{_name_end(num_epochs, _BEST_IN_EPOCH_3)}"
        )
        if num_epochs == len(_BEST_IN_EPOCH_3):
            if self._train(3, _BEST_IN_EPOCH_3, accuracies=_ACCURACY_FALLS) < num_epochs:
                raise Mistake("watches_accuracy", found)
            name = "never_stops" if _listens(self._make(3)) else "hook_never_called"
            raise Mistake(name, found)
        if num_epochs == 6:
            return found
        if num_epochs == 4:
            raise Mistake("stops_at_first_rise", found)
        if self._train(5, _BEST_IN_EPOCH_3) == num_epochs:
            raise Mistake("ignores_patience", f"{found}, and the same with patience 5")
        names = {5: "one_epoch_too_early", 7: "one_epoch_too_late"}
        raise Mistake(names.get(num_epochs, "stops_at_the_wrong_time"), found)

    def judge_patience(self) -> str:
        return self._expect_end(1, _BEST_IN_EPOCH_3, 4, "ignores_patience")

    def judge_count(self) -> str:
        return self._expect_end(2, _UP_AND_DOWN, len(_UP_AND_DOWN), "count_not_reset")

    def judge_comparison(self) -> str:
        return self._expect_end(3, _NEVER_AS_GOOD_AGAIN, 5, "compares_with_last")

    def judge_standstill(self) -> str:
        return self._expect_end(2, _STANDING_STILL, 4, "equal_counts_as_better")

    def judge_session(self) -> str:
        metrics = {"test_loss": _BEST_IN_EPOCH_3, "test_accuracy": _ACCURACY_RISES}
        evaluator = PlantedEvaluator(metrics)
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
        accuracies: Sequence[float] = _ACCURACY_RISES,
    ) -> int:
        return count_epochs(self._make(patience), losses, train_losses, accuracies)


def _listens(callback: Callback) -> bool:
    """Whether it overrides a hook that hears of losses."""
    hooks = ("on_epoch_end", "on_batch_end", "on_epoch_begin")
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)


def _name_end(num_epochs: int, losses: Sequence[float]) -> str:
    return "no stop" if num_epochs == len(losses) else f"a stop after epoch {num_epochs}"
