"""From changed data to redrawn widgets: seldom enough for a browser, and one writer at a time.

A browser takes a few dozen redraws a second and the Jupyter server drops messages past a thousand,
but a training gives hundreds of batches a second. So whoever changes data requests a redraw, and
the publisher redraws what changed meanwhile. A request is never lost: when the training stands
still, what is drawn is what is true within one interval. Widgets are not safe in several threads at
once either, hence one lock around all drawing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

Redraw = Callable[[], None]


class Publisher:
    """Calls requested redraws in a background thread that lives while there are any.

    There is one round of redraws in each interval. What is urgent need not wait for it: between two
    rounds, each redraw may come once by itself. A click is thus answered at once, even if it asks
    for another redraw when the first has been drawn.

    Args:
        interval_s: time in seconds from one round of redraws to the next.
        wait: waits for an event, but no longer than so many seconds, and returns whether it came;
            another clock's in tests.
    """

    def __init__(
        self,
        interval_s: float = 0.125,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self.interval_s = interval_s
        self._wait = wait
        self._drawing = threading.RLock()
        self._asking = threading.Lock()  # guards what follows
        self._requested: dict[Redraw, bool] = {}  # and whether it is urgent
        self._hurried: set[Redraw] = set()  # drawn by themselves since the last round
        self._has_urgent = threading.Event()
        self._thread: threading.Thread | None = None
        self._listeners: list[Callable[[Sequence[Redraw]], None]] = []

    def add_listener(self, listener: Callable[[Sequence[Redraw]], None]) -> None:
        """Have `listener` called after redraws, with all that were drawn together.

        It is called in the thread that draws: it should note what it was told, and return.
        """
        self._listeners.append(listener)

    def request(self, redraw: Redraw, urgent: bool = False) -> None:
        """Have `redraw` called soon, once however often it is requested meanwhile.

        Args:
            redraw: brings some widgets up to date.
            urgent: whether somebody waits to see it, as after a click.
        """
        with self._asking:
            self._requested[redraw] = urgent or self._requested.get(redraw, False)
            if urgent and redraw not in self._hurried:
                self._has_urgent.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._publish, name="publisher", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Call all requested redraws now, in this thread."""
        self._draw(only_urgent=False)

    def _draw(self, *, only_urgent: bool) -> None:
        with self._drawing:
            with self._asking:
                redraws = sorted(self._requested, key=self._requested.__getitem__, reverse=True)
                if only_urgent:
                    redraws = [
                        redraw
                        for redraw in redraws
                        if self._requested[redraw] and redraw not in self._hurried
                    ]
                self._hurried = self._hurried.union(redraws) if only_urgent else set()
                for redraw in redraws:
                    del self._requested[redraw]
                self._has_urgent.clear()
            for redraw in redraws:
                try:
                    redraw()
                except Exception:  # one panel's fault must not keep the others from being drawn
                    logging.getLogger("mnist_widgets").exception("A panel could not be redrawn")
            for listener in tuple(self._listeners):
                try:
                    listener(redraws)
                except Exception:
                    logging.getLogger("mnist_widgets").exception("A listener of redraws failed")

    def _publish(self) -> None:
        while True:
            self.flush()
            next_round_s = time.monotonic() + self.interval_s
            while self._wait(self._has_urgent, max(next_round_s - time.monotonic(), 0)):
                self._draw(only_urgent=True)
            with self._asking:
                if not self._requested:
                    self._thread = None
                    return


publisher = Publisher()
"""The one publisher of this kernel, shared by all panels."""
