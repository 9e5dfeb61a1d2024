"""Iterate over batches without a trace in torch's random generators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.random import fork_rng

from mnist_widgets.data.digit_set import Batches

_NO_BATCH: Any = object()


def iterate_unseen(batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches without advancing torch's global random generator."""
    if is_without_draws(batches):
        yield from batches
        return
    state, iterator = torch.get_rng_state(), None
    while True:
        with fork_rng([]):
            torch.set_rng_state(state)
            iterator = iter(batches) if iterator is None else iterator
            batch = next(iterator, _NO_BATCH)
            state = torch.get_rng_state()
        if batch is _NO_BATCH:
            return
        yield batch


def is_without_draws(batches: object) -> bool:
    """Return whether iterating these batches certainly draws no random numbers."""
    if type(batches) is Batches:
        return not batches.shuffle and batches.transform is None
    return isinstance(batches, (list, tuple))
