"""Judges a training loop that a student wrote: what it trains, records and evaluates.

The words of its hints are in hints/trainer.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.exercises.examination import examine
from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.trying import describe, refuse_nothing
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.exercises.watched import (
    NUM_BATCHES,
    NUM_EPOCHS,
    NUM_INPUTS,
    Log,
    PlantedEvaluator,
    Wanderer,
    WatchedLoader,
    WatchedNetwork,
)

_SMALL = 1e-4  # a graphics card adds in another order


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
            self._history = self._train(self._network, PlantedEvaluator(self._log))
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
        found = f"expected a weight to become {expected[0, 0]:.4f}, found {after[0, 0]:.4f}"
        if torch.allclose(expected, after, atol=_SMALL):
            return found
        is_unchanged = torch.equal(before, after)
        raise Mistake("learns_nothing" if is_unchanged else "learns_otherwise", found)

    def judge_entries(self) -> str:
        history: Any = self._history
        refuse_nothing(history, self._trainer)
        if not isinstance(history, Mapping):
            raise Mistake("no_dict", f"expected a dict, found {describe(history)}")
        if "train" not in history:
            names = ", ".join(map(repr, history)) or "nothing in it"
            raise Mistake("no_train_entry", f"expected a list under 'train', found {names}")
        losses: Any = history["train"]
        if not isinstance(losses, (list, tuple)):
            raise Mistake("no_list", f"expected a list under 'train', found {describe(losses)}")
        found = f"expected 3 numbers under 'train', found {len(losses)}"
        if any(isinstance(loss, Tensor) for loss in losses):
            raise Mistake("tensors_in_history", f"expected floats, found {describe(losses[0])}")
        if not all(isinstance(loss, Real) for loss in losses):
            raise Mistake("no_floats", f"expected 3 floats under 'train', found {describe(losses)}")
        if len(losses) == 1:
            raise Mistake("only_one_epoch", found)
        if len(losses) == NUM_EPOCHS * NUM_BATCHES:
            raise Mistake("one_entry_a_batch", found)
        if len(losses) != NUM_EPOCHS:
            raise Mistake("wrong_number_of_entries", found)
        return found

    def judge_means(self) -> str:
        values = torch.tensor([float(loss) for loss in self._history["train"]])
        losses = torch.tensor(self._log.losses).reshape(NUM_EPOCHS, NUM_BATCHES)
        expected = losses.mean(1)
        found = f"expected {_list(expected)}, found {_list(values)}"
        if torch.allclose(values, expected, atol=_SMALL):
            return found
        so_far = torch.arange(1, NUM_EPOCHS + 1)
        sizes = torch.tensor([4.0, 4, 4, 2])
        variants = {
            "last_batch_loss": losses[:, -1],
            "sum_of_losses": losses.sum(1),
            "losses_not_reset": losses.sum(1).cumsum(0) / (so_far * NUM_BATCHES),
            "sum_not_reset": losses.sum(1).cumsum(0) / NUM_BATCHES,
            "divided_by_inputs": losses.sum(1) / NUM_INPUTS,
            "divided_by_epochs": losses.sum(1) / NUM_EPOCHS,
            "mean_over_inputs": (losses * sizes).sum(1) / NUM_INPUTS,
        }
        for name, variant in variants.items():
            if torch.allclose(values, variant, atol=_SMALL):
                raise Mistake(name, found)
        raise Mistake("wrong_mean", found)

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
        if len(counts) > NUM_EPOCHS:
            raise Mistake("evaluated_for_each_batch", found)
        if len(counts) < NUM_EPOCHS:
            raise Mistake("evaluated_once", found)
        raise Mistake("evaluated_at_the_wrong_time", found)

    def judge_metrics(self) -> str:
        expected = PlantedEvaluator.make_metrics(NUM_EPOCHS)
        for name, values in expected.items():
            if name not in self._history:
                names = ", ".join(map(repr, self._history))
                found = f"expected lists under 'train', 'test_loss', 'share_right', found {names}"
                raise Mistake("metric_missing", found, name=name)
            kept: Any = self._history[name]
            found = f"expected {values} under {name!r}, found {describe(kept)}"
            if not isinstance(kept, (list, tuple)) or len(kept) != NUM_EPOCHS:
                raise Mistake("metric_of_one_epoch", found, name=name)
            if list(kept) != values:
                raise Mistake("wrong_metric", found, name=name)
        return "expected and found lists under 'test_loss' and 'share_right'"

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

    def _train(self, network: WatchedNetwork, *evaluator: object) -> Any:  # noqa: ANN401 - any result
        return self._trainer(
            network,
            WatchedLoader(network.log),
            network.log.compute_loss,
            _make_optimizer(network),
            NUM_EPOCHS,
            *evaluator,
        )


def _explain_missing_key(error: KeyError) -> Mistake | None:
    """Return the mistake behind a key that a student's dict does not have, if it is a usual one."""
    name = error.args[0] if error.args else None
    if name in {"train", *PlantedEvaluator.make_metrics(1)}:
        return Mistake("list_not_begun", f"the history has no list under {name!r} yet", name=name)
    if isinstance(name, str) and ("test" in name or "accuracy" in name):
        found = f"the evaluator gives 'test_loss' and 'share_right', not {name!r}"
        return Mistake("hard_coded_metric", found, name=name)
    return None


def _make_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=0.5)


def _list(values: Tensor) -> str:
    return ", ".join(f"{value:.4f}" for value in values.tolist())
