"""Let one thread at a time use a model, and let only one thread train it.

A cell may evaluate a model while a session trains it. At the same time, the training would run in
evaluation mode, and the evaluation would see half of an update.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from torch import nn

from mnist_widgets.training.models import unwrap

_POLL_S = 0.0005
_queues: WeakKeyDictionary[nn.Module, deque[int]] = WeakKeyDictionary()
_training_threads: WeakKeyDictionary[nn.Module, list[threading.Thread]] = WeakKeyDictionary()


@contextmanager
def exclusive(model: nn.Module) -> Iterator[None]:
    """Let no other thread use `model` in this context: not train, evaluate, restore or move it.

    Threads enter in the order in which they ask. A plain lock would go to the training again and
    again: it takes the lock within microseconds of its release, before a waiting thread wakes up.

    Keep the context short: one batch, or one portion of an evaluation. Do not wait in it for
    another thread. A thread may enter it again.
    """
    queue = _queues.get(model)
    if queue is None:  # `unwrap` costs some microseconds
        queue = _queues[model] = _queues.setdefault(unwrap(model), deque())
    thread = threading.get_ident()
    if thread in queue:  # as the first; otherwise it would be waiting
        yield
        return
    try:
        queue.append(thread)
        # A thread that polls can be interrupted anywhere: it misses no notification, and the first
        # statement of `finally` takes it out of the queue.
        while queue[0] != thread:
            time.sleep(_POLL_S)
        yield
    finally:
        queue.remove(thread)


@contextmanager
def only_training(model: nn.Module) -> Iterator[None]:
    """Train `model` in this context; refuse it if another thread has begun to train it.

    Raises:
        RuntimeError: Another thread has begun a run of the model that has not ended.
    """
    here = threading.current_thread()
    threads = _training_threads.setdefault(unwrap(model), [])
    with exclusive(model):  # or two threads that begin together would not see each other
        if any(thread is not here and thread.is_alive() for thread in threads):
            raise RuntimeError(
                "Another trainer is training this model already, in another thread, such as that "
                "of a TrainingSession. Both would change its weights: stop that training first."
            )
        threads.append(here)
    try:
        yield
    finally:
        threads.remove(here)
