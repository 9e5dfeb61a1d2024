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
from collections.abc import Callable

Redraw = Callable[[], None]


class Publisher:
    """Calls requested redraws in a background thread that lives while there are any.

    Args:
        interval_s: time in seconds from one round of redraws to the next.
        wait: waits for an event, but no longer than so many seconds; another clock's in tests.
    """

    def __init__(
        self,
        interval_s: float = 0.1,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self.interval_s = interval_s
        self._wait = wait
        self._is_urgent = threading.Event()
        self._drawing = threading.RLock()
        self._asking = threading.Lock()  # guards what follows
        self._requested: dict[Redraw, None] = {}
        self._thread: threading.Thread | None = None

    def request(self, redraw: Redraw, urgent: bool = False) -> None:
        """Have `redraw` called soon, once however often it is requested meanwhile.

        Args:
            redraw: brings some widgets up to date.
            urgent: whether somebody waits for it, as after a click: it then comes first, at once.
        """
        with self._asking:
            if urgent:
                self._requested = {redraw: None, **self._requested}
                self._is_urgent.set()
            else:
                self._requested[redraw] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._publish, name="publisher", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Call all requested redraws now, in this thread."""
        with self._drawing:
            with self._asking:
                requested, self._requested = self._requested, {}
            for redraw in requested:
                try:
                    redraw()
                except Exception:  # one panel's fault must not keep the others from being drawn
                    logging.getLogger("mnist_widgets").exception("A panel could not be redrawn")

    def _publish(self) -> None:
        while True:
            self._is_urgent.clear()
            self.flush()
            self._wait(self._is_urgent, self.interval_s)
            with self._asking:
                if not self._requested:
                    self._thread = None
                    return


publisher = Publisher()
"""The one publisher of this kernel, shared by all panels."""
