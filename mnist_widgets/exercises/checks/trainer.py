"""Judges a training loop that a student wrote: what it trains, records and evaluates.

What should stand in its history is left to `histories`; the words of the hints are in
hints/trainer.md.
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
    judge_entries,
    judge_means,
    judge_metrics,
)
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.recorders import (
    METRICS,
    NUM_BATCHES,
    NUM_EPOCHS,
    Log,
    PlantedEvaluator,
    Wanderer,
    WatchedLoader,
    WatchedNetwork,
)
from mnist_widgets.exercises.runner import examine
from mnist_widgets.exercises.sandbox import refuse_nothing
from mnist_widgets.exercises.verdict import Verdict


def check_trainer(trainer: Callable[..., dict[str, list[float]]]) -> Verdict:
    """Check a training loop with a history and an evaluator, like the tutorial's `trainer`.

    Args:
        trainer: called as `trainer(model, loader, loss_fn, optimizer, epochs, evaluator)`, the last
            of which may be left out. It trains every batch of `loader` in each epoch, with the
            network in training mode and each batch on the network's device, and then asks
            `evaluator.evaluate(model, device)` for a dict of metrics. It returns the history: a
            dict of lists with one float for each epoch, the mean of the epoch's batch losses under
            `"train"`, and each metric under its name.

    Returns:
        The verdict; nothing the student's code does is raised.
    """
    trial = _Trial(trainer)
    return examine(
        "check_trainer",
        read_hints("trainer"),
        {
            "It trains every batch of every epoch": trial.judge_batches,
            "The network learns as with one update for each batch": trial.judge_weights,
            "It returns a history with one number for each epoch": trial.judge_entries,
            "Each is the mean of its epoch's batch losses": trial.judge_means,
            "The evaluator is asked once, at the end of each epoch": trial.judge_evaluations,
            "The network is in training mode in every epoch": trial.judge_mode,
            "The history holds each of its metrics": trial.judge_metrics,
            "It trains another number of epochs when asked to": trial.judge_other_epochs,
            "It works without an evaluator": trial.judge_without_evaluator,
            "Batches go to the device of the network": trial.judge_device,
        },
    )


class _Trial:
    def __init__(self, trainer: Callable[..., Any]) -> None:
        self._trainer = trainer

    def judge_batches(self) -> str:
        self._log = Log()
        self._network = WatchedNetwork(self._log)
        self._before = deepcopy(self._network)
        try:
            self._history = self._train(self._network, PlantedEvaluator(METRICS, self._log))
        except KeyError as error:
            if mistake := _explain_missing_key(error):
                raise mistake from error
            raise
        num_epochs, num_losses = self._log.num_epochs, len(self._log.losses)
        num_expected = NUM_EPOCHS * NUM_BATCHES
        found = (
            f"3 epochs of 4 batches: expected {num_expected} losses, found {num_losses}; the "
            f"loader was gone through {num_epochs} times"
        )
        if num_losses == num_expected:
            return found
        if not num_losses:
            refuse_nothing(self._history, self._trainer)
            raise Mistake("trains_nothing", found)
        if num_epochs == 1 and num_losses in {1, NUM_BATCHES}:
            name = "ends_after_one_batch" if num_losses == 1 else "ends_after_one_epoch"
            raise Mistake(name, found)
        if num_losses == NUM_EPOCHS:
            raise Mistake("one_batch_an_epoch", found)
        if len(self._train_two_epochs().losses) == num_losses:
            raise Mistake("ignores_epochs", f"{found}; as many as with 2 epochs")
        raise Mistake("wrong_number_of_batches", found)

    def judge_weights(self) -> str:
        twin = deepcopy(self._before)
        optimizer = _make_optimizer(twin)
        for _ in range(NUM_EPOCHS):
            for inputs, targets in WatchedLoader(Log()):
                optimizer.zero_grad()
                functional.cross_entropy(twin(inputs), targets).backward()
                optimizer.step()
        before, expected, after = (
            network.linear.weight.detach().cpu() for network in (self._before, twin, self._network)
        )
        worst = (expected - after).abs().argmax()
        ours, theirs = expected.flatten()[worst], after.flatten()[worst]
        found = f"expected a weight to become {ours:.4f}, found {theirs:.4f}"
        if torch.allclose(expected, after, atol=SMALL):
            return found
        is_unchanged = torch.equal(before, after)
        raise Mistake("learns_nothing" if is_unchanged else "learns_otherwise", found)

    def judge_entries(self) -> str:
        refuse_nothing(self._history, self._trainer)
        return judge_entries(self._history)

    def judge_means(self) -> str:
        return judge_means(self._history, self._log.losses)

    def judge_mode(self) -> str:
        modes = list(self._log.modes.values())
        words = ", ".join("training" if mode else "evaluation" for mode in modes)
        found = f"expected training mode in 3 epochs, found {words}"
        if all(modes):
            return found
        raise Mistake("train_mode_once" if modes[0] else "forgot_train_mode", found)

    def judge_evaluations(self) -> str:
        counts = self._log.count_losses_between_evaluations()
        expected = [NUM_BATCHES * epoch for epoch in range(1, NUM_EPOCHS + 1)]
        words = ", ".join(map(str, counts)) or "never"
        found = f"expected to be asked after 4, 8, 12 batches, found {words}"
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

    def judge_metrics(self) -> str:
        return judge_metrics(self._history)

    def judge_other_epochs(self) -> str:
        """Twice through the loader, since a student may have written out three epochs."""
        log = self._train_two_epochs()
        found = f"2 epochs of 4 batches: expected {2 * NUM_BATCHES} losses, found {len(log.losses)}"
        if len(log.losses) != 2 * NUM_BATCHES:
            raise Mistake("ignores_epochs", found)
        return found

    def judge_without_evaluator(self) -> str:
        try:
            history = self._train(WatchedNetwork(Log()))
        except (AttributeError, TypeError) as error:
            if "NoneType" not in str(error) and "evaluator" not in str(error):
                raise
            raise Mistake("needs_evaluator", "without an evaluator it ends in an error") from error
        refuse_nothing(history, self._trainer)
        names = ", ".join(map(repr, filter(history.get, history)))
        found = f"expected 'train' alone, found {names}"
        if names != "'train'":
            raise Mistake("invents_metrics", found)
        return found

    def judge_device(self) -> str:
        """Begin on PyTorch's `meta` device; the student may move the network from there or not."""
        log = Log()
        network = Wanderer(log)

        def compare_nothing(scores: Tensor, targets: Tensor) -> Tensor:
            log.devices.append(f"targets on {targets.device.type}, scores on {scores.device.type}")
            return torch.tensor(1.0, requires_grad=True)  # `meta` has no values to return

        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        self._trainer(network, WatchedLoader(log), compare_nothing, optimizer, 1)
        odd = [
            words
            for words in log.devices
            if len({place.rpartition(" ")[2] for place in words.split(", ")}) > 1
        ]
        if odd:
            raise Mistake("device_ignored", f"expected one device, found {odd[0]}")
        return "expected one device for batch and network, found one"

    def _train_two_epochs(self) -> Log:
        log = Log()
        self._train(WatchedNetwork(log), PlantedEvaluator(METRICS, log), num_epochs=2)
        return log

    def _train(
        self, network: WatchedNetwork, *evaluator: object, num_epochs: int = NUM_EPOCHS
    ) -> Any:  # noqa: ANN401 - whatever the student returns
        return self._trainer(
            network,
            WatchedLoader(network.log),
            network.log.compute_loss,
            _make_optimizer(network),
            num_epochs,
            *evaluator,
        )


def _explain_missing_key(error: KeyError) -> Mistake | None:
    """Return the mistake behind a key that a student's dict does not have, if it is a usual one."""
    name = error.args[0] if error.args else None
    if name in {"train", *METRICS}:
        return Mistake("list_not_begun", f"the history has no list under {name!r} yet", name=name)
    if isinstance(name, str) and ("test" in name or "accuracy" in name):
        found = f"the evaluator gives 'test_loss' and 'share_right', not {name!r}"
        return Mistake("hard_coded_metric", found, name=name)
    return None


def _make_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=0.5)
