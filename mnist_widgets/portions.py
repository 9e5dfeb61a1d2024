"""Long computations over many images, cut into portions of at most about 50 ms.

A computation is a generator that yields between two portions, so that its caller can do something
else meanwhile, or cancel it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")

PORTION_S = 0.025
"""Time in seconds after which a portion ends: half of 50 ms, since one forward pass may follow."""
FIRST_IMAGES = 16
"""Images in the first forward pass, whose cost is unknown."""
MAX_IMAGES = 512
"""Images in one forward pass at most: the memory of the activations grows with them."""


def run_to_end(portions: Generator[None, None, Result]) -> Result:
    """Run a computation without interruption and return its result."""
    while True:
        try:
            next(portions)
        except StopIteration as end:
            result: Result = end.value
            return result


class LongJob(Generic[Result]):
    """A computation in portions, and a future of its result.

    Args:
        portions: the computation.

    Attributes:
        future: of its result or error; when it is cancelled, the next portion ends the computation.
    """

    def __init__(self, portions: Generator[None, None, Result]) -> None:
        self.future: Future[Result] = Future()
        self._portions = portions

    def do_portion(self) -> bool:
        """Do the next portion and return whether others are left."""
        if self.future.cancelled():
            self._portions.close()
            return False
        try:
            next(self._portions)
        except StopIteration as end:
            if self.future.set_running_or_notify_cancel():
                self.future.set_result(end.value)
        except BaseException as error:  # it belongs to the caller of `result`
            if self.future.set_running_or_notify_cancel():
                self.future.set_exception(error)
        else:
            return True
        return False


class ImageCuts:
    """How many images go into one forward pass, and when a portion is over.

    Their number doubles while passes are short, up to `MAX_IMAGES`, and halves after a long one.
    Passes are timed by the work of this thread, so that other processes do not change the cuts: as
    long as all passes are short, they are the same each time.
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
        """Return `function(images)`, computed for some images (B, ...) at a time.

        Args:
            function: gives for images (B, ...) a tensor (B, ...); each row depends on its image
                alone, or at least on more than one image: none is left to the last pass alone.
            images: (N, ...).
            within: makes the context of each portion, which ends before the `yield`.
        """
        results: list[Tensor] = []
        num_done = 0
        while num_done < len(images) or not results:
            with within():
                is_portion_over = False
                while not is_portion_over and (num_done < len(images) or not results):
                    began_s, work_began_s = time.perf_counter(), time.thread_time()
                    some = images[num_done : num_done + self._count(len(images) - num_done)]
                    results.append(function(some))
                    num_done += len(some)
                    self._adapt(time.thread_time() - work_began_s)
                    self._spent_s += time.perf_counter() - began_s
                    is_portion_over = self._spent_s >= PORTION_S
            if is_portion_over:
                self._spent_s = 0.0
                yield
        return results[0] if len(results) == 1 else torch.cat(results)

    def _count(self, num_left: int) -> int:
        """Return the number of images in the next pass; batch norm may need more than one."""
        return num_left if num_left <= self._num_images + 1 else self._num_images

    def _adapt(self, work_s: float) -> None:
        if work_s > PORTION_S:
            self._num_images = max(2, self._num_images // 2)
        elif work_s < PORTION_S / 2:
            self._num_images = min(2 * self._num_images, MAX_IMAGES)
