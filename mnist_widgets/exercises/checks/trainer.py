"""Check a training loop: what it trains, records and evaluates.

The hints are in hints/trainer.md.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.history_criteria import (
    SMALL,
    check_entries,
    check_means,
    check_metrics,
)
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.recorders import (
    METRICS,
    NUM_BATCHES,
    NUM_EPOCHS,
    Log,
    MovableNetwork,
    RecordingLoader,
    RecordingNetwork,
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
        read_hints("trainer"),
        {
            "It trains every batch of every epoch": criteria.check_batches,
            "The weights change by one update for each batch": criteria.check_weights,
            "It returns a history with one number for each epoch": criteria.check_entries,
            "Each is the mean of its epoch's batch losses": criteria.check_means,
            "The evaluator is called once at the end of each epoch": criteria.check_evaluations,
            "The network is in training mode in every epoch": criteria.check_mode,
            "The history contains each of its metrics": criteria.check_metrics,
            "It trains as many epochs as `epochs` says": criteria.check_other_epochs,
            "It works without an evaluator": criteria.check_without_evaluator,
            "It moves batches to the device of the network": criteria.check_device,
        },
    )


class _Criteria:
    def __init__(self, trainer: Callable[..., Any]) -> None:
        self._trainer = trainer

    def check_batches(self) -> str:
        self._log = Log()
        self._network = RecordingNetwork(self._log)
        self._before = deepcopy(self._network)
        try:
            self._history = self._train(self._network, ScriptedEvaluator(METRICS, self._log))
        except KeyError as error:
            if mistake := _recognize_missing_key(error):
                raise mistake from error
            raise
        num_epochs, num_losses = self._log.num_epochs, len(self._log.losses)
        num_expected = NUM_EPOCHS * NUM_BATCHES
        found = (
            f"3 epochs of 4 batches: expected {num_expected} losses, found {num_losses}; the "
            f"loader was iterated {num_epochs} times"
        )
        if num_losses == num_expected:
            return found
        if not num_losses:
            require_result(self._history, self._trainer)
            raise Mistake("trains_nothing", found)
        if num_epochs == 1 and num_losses in {1, NUM_BATCHES}:
            name = "ends_after_one_batch" if num_losses == 1 else "ends_after_one_epoch"
            raise Mistake(name, found)
        if num_losses == NUM_EPOCHS:
            raise Mistake("one_batch_an_epoch", found)
        if len(self._train_two_epochs().losses) == num_losses:
            raise Mistake("ignores_epochs", f"{found}; as many as with 2 epochs")
        raise Mistake("wrong_number_of_batches", found)

    def check_weights(self) -> str:
        reference = deepcopy(self._before)
        optimizer = _make_optimizer(reference)
        for _ in range(NUM_EPOCHS):
            for inputs, targets in RecordingLoader(Log()):
                optimizer.zero_grad()
                functional.cross_entropy(reference(inputs), targets).backward()
                optimizer.step()
        before, expected, after = (
            network.linear.weight.detach().cpu()
            for network in (self._before, reference, self._network)
        )
        worst = (expected - after).abs().argmax()
        ours, theirs = expected.flatten()[worst], after.flatten()[worst]
        found = f"expected a weight to become {ours:.4f}, found {theirs:.4f}"
        if torch.allclose(expected, after, atol=SMALL):
            return found
        is_unchanged = torch.equal(before, after)
        raise Mistake("learns_nothing" if is_unchanged else "learns_otherwise", found)

    def check_entries(self) -> str:
        require_result(self._history, self._trainer)
        return check_entries(self._history)

    def check_means(self) -> str:
        return check_means(self._history, self._log.losses)

    def check_mode(self) -> str:
        modes = list(self._log.modes.values())
        words = ", ".join("training" if mode else "evaluation" for mode in modes)
        found = f"expected training mode in 3 epochs, found {words}"
        if all(modes):
            return found
        raise Mistake("train_mode_once" if modes[0] else "forgot_train_mode", found)

    def check_evaluations(self) -> str:
        counts = self._log.count_losses_between_evaluations()
        expected = [NUM_BATCHES * epoch for epoch in range(1, NUM_EPOCHS + 1)]
        words = ", ".join(map(str, counts)) or "never"
        found = f"expected calls after 4, 8, 12 batches, found {words}"
        if counts == expected:
            return found
        if not counts:
            raise Mistake("evaluator_ignored", found)
        if counts == [0, *expected]:
            raise Mistake("evaluated_before_training", found)
        if len(counts) > NUM_EPOCHS:
            raise Mistake("evaluated_for_each_batch", found)
        if len(counts) < NUM_EPOCHS:
            raise Mistake("evaluated_once", found)
        raise Mistake("evaluated_at_the_wrong_time", found)

    def check_metrics(self) -> str:
        return check_metrics(self._history)

    def check_other_epochs(self) -> str:
        """Train two epochs, because a student may have hard-coded three."""
        log = self._train_two_epochs()
        found = f"2 epochs of 4 batches: expected {2 * NUM_BATCHES} losses, found {len(log.losses)}"
        if len(log.losses) != 2 * NUM_BATCHES:
            raise Mistake("ignores_epochs", found)
        return found

    def check_without_evaluator(self) -> str:
        try:
            history = self._train(RecordingNetwork(Log()))
        except (AttributeError, TypeError) as error:
            if "NoneType" not in str(error) and "evaluator" not in str(error):
                raise
            raise Mistake("needs_evaluator", "without an evaluator it raises an error") from error
        require_result(history, self._trainer)
        names = ", ".join(map(repr, filter(history.get, history)))
        found = f"expected only 'train', found {names}"
        if names != "'train'":
            raise Mistake("invents_metrics", found)
        return found

    def check_device(self) -> str:
        """Start on PyTorch's `meta` device; the student may move the network or not."""
        log = Log()
        network = MovableNetwork(log)

        def compare_nothing(scores: Tensor, targets: Tensor) -> Tensor:
            log.devices.append(f"targets on {targets.device.type}, scores on {scores.device.type}")
            return torch.tensor(1.0, requires_grad=True)  # `meta` has no values to return

        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        self._trainer(network, RecordingLoader(log), compare_nothing, optimizer, 1)
        odd = [
            words
            for words in log.devices
            if len({device.rpartition(" ")[2] for device in words.split(", ")}) > 1
        ]
        if odd:
            raise Mistake("device_ignored", f"expected one device, found {odd[0]}")
        return "expected one device for batch and network, found one"

    def _train_two_epochs(self) -> Log:
        log = Log()
        self._train(RecordingNetwork(log), ScriptedEvaluator(METRICS, log), num_epochs=2)
        return log

    def _train(
        self, network: RecordingNetwork, *evaluator: object, num_epochs: int = NUM_EPOCHS
    ) -> Any:  # noqa: ANN401 - any result
        return self._trainer(
            network,
            RecordingLoader(network.log),
            network.log.compute_loss,
            _make_optimizer(network),
            num_epochs,
            *evaluator,
        )


def _recognize_missing_key(error: KeyError) -> Mistake | None:
    """Return the mistake behind a missing key, if it is a common one."""
    name = error.args[0] if error.args else None
    if name in {"train", *METRICS}:
        return Mistake("list_not_begun", f"the history has no list under {name!r} yet", name=name)
    if isinstance(name, str) and ("test" in name or "accuracy" in name):
        found = f"the evaluator returns 'test_loss' and 'share_right', not {name!r}"
        return Mistake("hard_coded_metric", found, name=name)
    return None


def _make_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=0.5)
