"""Criteria for the history of a student's training loop: three epochs of four batches.

The hints are in hints/trainer.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.recorders import (
    BATCH_SIZE,
    METRICS,
    NUM_BATCHES,
    NUM_EPOCHS,
    NUM_INPUTS,
)
from mnist_widgets.exercises.sandbox import describe

SMALL = 1e-4  # a GPU adds in another order


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


def check_means(history: Mapping[str, Any], batch_losses: Sequence[float]) -> str:
    """Check that the training losses are the means of the batch losses.

    Raises:
        Mistake: if they are not; its name says what they are.
    """
    values = torch.tensor([float(loss) for loss in history["train"]])
    losses = torch.tensor(batch_losses).reshape(NUM_EPOCHS, NUM_BATCHES)
    expected = losses.mean(1)
    found = f"expected {_list(expected)}, found {_list(values)}"
    if torch.allclose(values, expected, atol=SMALL):
        return found
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
    for name, variant in variants.items():
        if torch.allclose(values, variant, atol=SMALL):
            raise Mistake(name, found)
    raise Mistake("wrong_mean", found)


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
        if not isinstance(kept, (list, tuple)) or len(kept) != NUM_EPOCHS:
            raise Mistake("metric_of_one_epoch", found, name=name)
        if list(kept) != values:
            raise Mistake("wrong_metric", found, name=name)
    return "expected and found lists under 'test_loss' and 'share_right'"


def _list(values: Tensor) -> str:
    return ", ".join(f"{value:.4f}" for value in values.tolist())
