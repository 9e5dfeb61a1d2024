"""Check a training loop: what it trains, records and evaluates.

The hints are in hints/trainer.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from mnist_widgets.exercises.device_criterion import check_devices
from mnist_widgets.exercises.history_criteria import check_entries, check_means, check_metrics
from mnist_widgets.exercises.mistakes import Mistake, rule_out
from mnist_widgets.exercises.recorders import (
    LEARNING_RATE,
    METRICS,
    NUM_BATCHES,
    NUM_EPOCHS,
    Log,
    RecordingLoader,
    RecordingNetwork,
    ReferenceModel,
    ScriptedEvaluator,
)
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import require_result
from mnist_widgets.exercises.verdict import Verdict


def check_trainer(trainer: Callable[..., dict[str, list[float]]]) -> Verdict:
    """Check a training loop with a history and an evaluator, like the tutorial's `trainer`.

    Args:
        trainer: called as `trainer(model, loader, loss_fn, optimizer, epochs, evaluator)`; the
            evaluator is optional. In each epoch it trains every batch of `loader`, with the
            network in training mode and each batch on the network's device. Then it calls
            `evaluator.evaluate(model, device)`, which returns a dict of metrics. It returns the
            history: a dict of lists with one float for each epoch, the mean of the batch losses
            as `"train"` and each metric under its name.

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(trainer)
    return run_check(
        "check_trainer",
        {
            "It trains every batch of every epoch": criteria.check_batches,
            "The weights change by one update for each batch": criteria.check_weights,
            "It returns a history with one number for each epoch": criteria.check_entries,
            "Each is the mean of its epoch's batch losses": lambda: check_means(
                criteria.history, criteria.log.losses
            ),
            "The evaluator is called once at the end of each epoch": criteria.check_evaluations,
            "The network is in training mode in every epoch": criteria.check_mode,
            "The history contains each of its metrics": lambda: check_metrics(criteria.history),
            "It trains as many epochs as `epochs` says": criteria.check_other_epochs,
            "It works without an evaluator": criteria.check_without_evaluator,
            "It moves batches to the device of the network": criteria.check_device,
        },
    )


class _Criteria:
    def __init__(self, trainer: Callable[..., Any]) -> None:
        self._trainer = trainer

    def check_batches(self) -> str:
        self.log = Log()
        self._network = _make_network(self.log)
        self._reference = ReferenceModel(self._network.layers)
        evaluator = ScriptedEvaluator(METRICS, self.log)
        try:
            self.history = self._train(self.log, self._network, NUM_EPOCHS, evaluator)
        except KeyError as error:
            _recognize_missing_key(error)
            raise
        num_epochs, num_losses = self.log.num_epochs, len(self.log.losses)
        num_expected = NUM_EPOCHS * NUM_BATCHES
        found = (
            f"3 epochs of 4 batches: expected {num_expected} losses, found {num_losses}; the "
            f"loader was iterated {num_epochs} times"
        )
        if num_losses == num_expected:  # the loader shuffles the images each time
            return rule_out(found, {"loader_used_once": num_epochs < NUM_EPOCHS})
        if not num_losses:
            require_result(self.history, self._trainer)
        mistakes = {
            "trains_nothing": not num_losses,
            "ends_after_one_batch": num_epochs == num_losses == 1,
            "ends_after_one_epoch": num_epochs == 1 and num_losses == NUM_BATCHES,
            "one_batch_an_epoch": num_losses == NUM_EPOCHS,
        }
        rule_out(found, mistakes)
        if self._count_losses_of_two_epochs() == num_losses:
            raise Mistake("ignores_epochs", f"{found}; as many as with 2 epochs")
        raise Mistake("wrong_number_of_batches", found)

    def check_weights(self) -> str:
        for batch in [*RecordingLoader(Log())] * NUM_EPOCHS:
            self._reference.optimizer.zero_grad()
            self._reference.train(batch)
        found = self._reference.compare_with(self._network)
        mistakes = {
            "learns_nothing": self._reference.is_unchanged(self._network),
            "learns_otherwise": not self._reference.equals(self._network),
        }
        return rule_out(found, mistakes)

    def check_entries(self) -> str:
        require_result(self.history, self._trainer)
        return check_entries(self.history)

    def check_mode(self) -> str:
        modes = list(self.log.modes.values())
        words = ", ".join("training" if mode else "evaluation" for mode in modes)
        found = f"expected training mode in 3 epochs, found {words}"
        mistakes = {"forgot_train_mode": modes[:1] == [False], "train_mode_once": not all(modes)}
        return rule_out(found, mistakes)

    def check_evaluations(self) -> str:
        counts = self.log.evaluations
        expected = [NUM_BATCHES * epoch for epoch in range(1, NUM_EPOCHS + 1)]
        words = ", ".join(map(str, counts)) or "never"
        found = f"expected calls after 4, 8, 12 batches, found {words}"
        mistakes = {
            "evaluator_ignored": not counts,
            "evaluated_before_training": counts == [0, *expected],
            "evaluated_for_each_batch": len(counts) > NUM_EPOCHS,
            "evaluated_once": len(counts) < NUM_EPOCHS,
            "evaluated_at_the_wrong_time": counts != expected,
        }
        return rule_out(found, mistakes)

    def check_other_epochs(self) -> str:
        """Train two epochs, because a student may have hard-coded three."""
        num_losses, num_expected = self._count_losses_of_two_epochs(), 2 * NUM_BATCHES
        found = f"2 epochs of 4 batches: expected {num_expected} losses, found {num_losses}"
        return rule_out(found, {"ignores_epochs": num_losses != num_expected})

    def check_without_evaluator(self) -> str:
        log = Log()
        try:
            history = self._train(log, _make_network(log), NUM_EPOCHS)
        except (AttributeError, TypeError) as error:
            if "NoneType" not in str(error) and "evaluator" not in str(error):
                raise
            raise Mistake("needs_evaluator", "without an evaluator it raises an error") from error
        require_result(history, self._trainer)
        names = ", ".join(map(repr, filter(history.get, history)))
        found = f"expected only 'train', found {names}"
        return rule_out(found, {"invents_metrics": names != "'train'"})

    def check_device(self) -> str:
        loader = RecordingLoader(Log())
        return check_devices(lambda network, *rest: self._trainer(network, loader, *rest, 1))

    def _count_losses_of_two_epochs(self) -> int:
        log = Log()
        self._train(log, _make_network(log), 2, ScriptedEvaluator(METRICS, log))
        return len(log.losses)

    def _train(self, log: Log, network: nn.Module, num_epochs: int, *evaluator: object) -> Any:  # noqa: ANN401 - any result
        optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
        loader = RecordingLoader(log)
        return self._trainer(network, loader, log.compute_loss, optimizer, num_epochs, *evaluator)


def _make_network(log: Log) -> RecordingNetwork:
    """Return a network with five inputs and three scores, in evaluation mode."""
    return RecordingNetwork(nn.Sequential(nn.Linear(5, 3)), log.record_call).eval()


def _recognize_missing_key(error: KeyError) -> None:
    """Raise the mistake behind a missing key, if it is a common one."""
    name = str(error.args[0]) if error.args else ""
    found = f"the history has no list under {name!r} yet"
    rule_out(found, {"list_not_begun": name in {"train", *METRICS}}, name=name)
    found = f"the evaluator returns 'test_loss' and 'share_right', not {name!r}"
    rule_out(found, {"hard_coded_metric": "test" in name or "accuracy" in name}, name=name)
