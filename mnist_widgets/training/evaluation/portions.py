"""Run long computations over many images in portions of at most about 50 ms.

A computation is a generator that yields between two portions, so its caller can do something else
in between, or cancel it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

Result = TypeVar("Result")

PORTION_S = 0.025
"""A portion ends after this time in seconds: half of 50 ms, since its last pass may exceed it."""
FIRST_IMAGES = 16
"""Images in the first forward pass, whose duration is unknown."""
MAX_IMAGES = 512
"""Maximum of images in one forward pass, to limit the memory for activations."""


class OpenSession(Protocol):
    """A session that uses its model in a thread of its own."""

    def in_portions(
        self, job: Callable[[], Generator[None, None, Result]], *, first: bool
    ) -> Future[Result]:
        """Run a computation in that thread, and return a future of its result."""

    def make_way(self) -> None:
        """Return once no job uses the model; raise a `RuntimeError` while a run is open."""


session_finders: list[Callable[[nn.Module], OpenSession | None]] = []
"""The package of the sessions, which this one must not import, adds its function here."""


def find_session_elsewhere(model: nn.Module) -> OpenSession | None:
    """Return the open session of a model, or of a part of it, that uses another thread, if any."""
    return next(filter(None, (find(model) for find in session_finders)), None)


class LongJob(Generic[Result]):
    """A computation in portions, with a future for its result.

    Args:
        portions: The computation.

    Attributes:
        future: Gets the result or error. Cancelling it ends the computation before its next
            portion.
    """

    def __init__(self, portions: Generator[None, None, Result]) -> None:
        self.future: Future[Result] = Future()
        self._portions = portions

    def do_portion(self) -> bool:
        """Run the next portion and return whether more remain."""
        if self.future.cancelled():
            self._portions.close()
            return False
        try:
            next(self._portions)
        except StopIteration as end:
            if self.future.set_running_or_notify_cancel():
                self.future.set_result(end.value)
        except BaseException as error:  # raised again in the thread that calls `result`
            if self.future.set_running_or_notify_cancel():
                self.future.set_exception(error)
        else:
            return True
        return False


def run_to_end(portions: Generator[None, None, Result], model: nn.Module) -> Result:
    """Run a computation with a model to its end and return its result.

    If the model has an open session, the session's thread runs the computation, between two batches
    or two portions of its own jobs. In another thread, a training would meet layers in evaluation
    mode, the computation half of an update, and two computations each other's modes.

    Raises:
        RuntimeError: The session was closed in the meantime.
    """
    if (session := find_session_elsewhere(model)) is not None:
        future = session.in_portions(lambda: portions, first=True)
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError("The session of this model was closed. Try again.") from None
        finally:
            future.cancel()  # after an interrupt
    while True:
        try:
            next(portions)
        except StopIteration as end:
            result: Result = end.value
            return result


class ImageCuts:
    """Chooses the number of images in a forward pass, and the end of a portion.

    The number doubles after a short pass, up to `MAX_IMAGES`, and is halved after a long one. The
    duration of a pass is measured in CPU time of this thread, so other processes do not change the
    cuts: as long as all passes are short, the cuts are the same each time.
    """

    def __init__(self) -> None:
        self._num_images = FIRST_IMAGES
        self._spent_s = 0.0

    def map(
        self,
        function: Callable[[Tensor], Tensor],
        images: Tensor,
        within: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Generator[None, None, Tensor]:
        """Return `function(images)`, computed for a few images (B, ...) at a time.

        Args:
            function: Maps images (B, ...) to a tensor (B, ...), one row for each image. It never
                gets the last image alone, since batch norm needs more than one.
            images: (N, ...).
            within: Creates the context of each portion, which ends before the `yield`.
        """
        results: list[Tensor] = []
        rest = images
        while len(rest) or not results:
            with within():
                while len(rest) or not results:
                    began_s, work_began_s = time.perf_counter(), time.thread_time()
                    takes_all = len(rest) <= self._num_images + 1
                    count = len(rest) if takes_all else self._num_images
                    results.append(function(rest[:count]))
                    rest = rest[count:]
                    self._adapt(time.thread_time() - work_began_s)
                    self._spent_s += time.perf_counter() - began_s
                    if self._spent_s >= PORTION_S:
                        break
            if self._spent_s >= PORTION_S:
                self._spent_s = 0.0
                yield
        return torch.cat(results)

    def _adapt(self, work_s: float) -> None:
        if work_s > PORTION_S:
            self._num_images = max(2, self._num_images // 2)
        elif work_s < PORTION_S / 2:
            self._num_images = min(2 * self._num_images, MAX_IMAGES)
