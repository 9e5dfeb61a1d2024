"""Criteria for the history of a student's training loop: three epochs of four batches.

The hints are in hints/trainer.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from mnist_widgets.exercises.mistakes import Mistake, compare, rule_out
from mnist_widgets.exercises.recorders import (
    BATCH_SIZE,
    METRICS,
    NUM_BATCHES,
    NUM_EPOCHS,
    NUM_INPUTS,
)
from mnist_widgets.exercises.sandbox import describe


def check_entries(history: Any) -> str:  # noqa: ANN401 - whatever a student returned
    """Check that `history["train"]` has one number for each epoch.

    Raises:
        Mistake: if it has not.
    """
    if not isinstance(history, Mapping):
        raise Mistake("no_dict", f"expected a dict, found {describe(history)}")
    if "train" not in history:
        names = ", ".join(map(repr, history)) or "nothing in it"
        raise Mistake("no_train_entry", f"expected a list under 'train', found {names}")
    losses: Any = history["train"]
    if not isinstance(losses, (list, tuple)):
        raise Mistake("no_list", f"expected a list under 'train', found {describe(losses)}")
    if any(isinstance(loss, Tensor) for loss in losses):
        raise Mistake("tensors_in_history", f"expected floats, found {describe(losses[0])}")
    if not all(isinstance(loss, Real) for loss in losses):
        raise Mistake("no_floats", f"expected 3 floats under 'train', found {describe(losses)}")
    mistakes = {
        "only_one_epoch": len(losses) == 1,
        "one_entry_a_batch": len(losses) == NUM_EPOCHS * NUM_BATCHES,
        "wrong_number_of_entries": len(losses) != NUM_EPOCHS,
    }
    return rule_out(f"expected 3 numbers under 'train', found {len(losses)}", mistakes)


def check_means(history: Mapping[str, Any], batch_losses: Sequence[float]) -> str:
    """Check that the training losses are the means of the batch losses.

    Raises:
        Mistake: if they are not; its name says what they are.
    """
    values = torch.tensor([float(loss) for loss in history["train"]])
    losses = torch.tensor(batch_losses).reshape(NUM_EPOCHS, NUM_BATCHES)
    expected = losses.mean(1)
    found = f"expected {_list(expected)}, found {_list(values)}"
    so_far = torch.arange(1, NUM_EPOCHS + 1)
    sizes = torch.tensor([len(batch) for batch in torch.arange(NUM_INPUTS).split(BATCH_SIZE)])
    variants = {
        "last_batch_loss": losses[:, -1],
        "sum_of_losses": losses.sum(1),
        "losses_not_reset": losses.sum(1).cumsum(0) / (so_far * NUM_BATCHES),
        "sum_not_reset": losses.sum(1).cumsum(0) / NUM_BATCHES,
        "divided_by_inputs": losses.sum(1) / NUM_INPUTS,
        "divided_by_epochs": losses.sum(1) / NUM_EPOCHS,
        "mean_over_inputs": (losses * sizes).sum(1) / NUM_INPUTS,
    }
    return compare(found, values, expected, variants.items(), "wrong_mean")


def check_metrics(history: Mapping[str, Any]) -> str:
    """Check that the history contains each of the evaluator's metrics.

    Raises:
        Mistake: if a metric is missing or wrong.
    """
    for name, values in METRICS.items():
        if name not in history:
            names = ", ".join(map(repr, history))
            found = f"expected lists under 'train', 'test_loss', 'share_right', found {names}"
            raise Mistake("metric_missing", found, name=name)
        kept: Any = history[name]
        found = f"expected {values} under {name!r}, found {describe(kept)}"
        is_for_each_epoch = isinstance(kept, (list, tuple)) and len(kept) == NUM_EPOCHS
        rule_out(found, {"metric_of_one_epoch": not is_for_each_epoch}, name=name)
        rule_out(found, {"wrong_metric": list(kept) != values}, name=name)
    return "expected and found lists under 'test_loss' and 'share_right'"


def _list(values: Tensor) -> str:
    return ", ".join(f"{value:.4f}" for value in values.tolist())
