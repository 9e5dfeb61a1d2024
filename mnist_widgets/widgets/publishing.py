"""From changed data to redrawn widgets: seldom enough for a browser, and one writer at a time.

A browser takes a few dozen redraws a second and the Jupyter server drops messages past a thousand,
but a training gives hundreds of batches a second. So whoever changes data requests a redraw, and
the publisher redraws what changed meanwhile. A request is never lost: when the training stands
still, what is drawn is what is true within one interval. Widgets are not safe in several threads at
once either, hence one lock around all drawing.

Usually a thread draws. Where a training works in the foreground, no other thread may: it is drawn
between two batches, and when nobody works, at once.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from mnist_widgets.drivers import ForegroundDriver, ForegroundWatcher, is_in_colab
from mnist_widgets.runtime import effective_cpu_count

Redraw = Callable[[], None]

ROUND_INTERVAL_S = 0.25
"""Time from one round of redraws to the next: a chart then seems to move."""
FEW_CPUS = 2
"""With so many CPUs or fewer, rounds come half as often: there the training pays for each."""
MAX_HURRIED = 3
"""How often what is urgent is drawn between two rounds: nobody clicks faster."""


class Publisher(ForegroundWatcher):
    """Calls requested redraws in a background thread that lives while there are any.

    While a `ForegroundDriver` works, its thread calls them instead, between two tasks and once more
    at the end. Where such a driver is in use, what the main thread requests while nobody works is
    drawn before `request` returns; only in a loop of a notebook's cell it may wait for the
    interval, or for the end of the cell.

    There is one round of redraws in each interval, or in two where clicks come. What is urgent need
    not wait for it: between two redraws or two rounds, each redraw may come `MAX_HURRIED` times by
    itself. A click is thus answered at once, even if it asks for another redraw when the first has
    been drawn.

    Args:
        interval_s: time in seconds from one round of redraws to the next.
        wait: waits for an event, but no longer than so many seconds, and returns whether it came;
            another clock's in tests.
    """

    def __init__(
        self,
        interval_s: float = ROUND_INTERVAL_S,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self.interval_s = interval_s
        self._wait = wait
        self._drawing = threading.RLock()
        self._asking = threading.Lock()  # guards what follows
        self._requested: dict[Redraw, bool] = {}  # and whether it is urgent
        self._hurried: Counter[Redraw] = Counter()  # drawn by themselves since the last round
        self._has_urgent = threading.Event()
        self._thread: threading.Thread | None = None
        self._num_at_work = 0  # foreground drivers
        self._is_in_cell = False
        self._next_round_s = -math.inf  # in the foreground
        self._drawing_thread: int | None = None
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
        is_drawn_here = is_foreground() and threading.current_thread() is threading.main_thread()
        with self._asking:
            self._requested[redraw] = urgent or self._requested.get(redraw, False)
            if self._num_at_work:
                return
            has_thread = is_drawn_here or self._call_thread(urgent and self._may_hurry(redraw))
        if not has_thread and self._drawing_thread != threading.get_ident():
            self.flush()
        elif is_drawn_here and (urgent or not self._is_in_cell or self._is_round_due()):
            self._draw_all()

    def on_work_begin(self) -> None:
        """Leave the drawing to the thread of a foreground driver; called in that thread."""
        with self._drawing, self._asking:  # the publisher's thread has laid down its brush
            self._num_at_work += 1
            self._next_round_s = -math.inf

    def on_task_end(self) -> None:
        """Draw if an interval has passed since the last time."""
        if self._is_round_due():
            self._draw_all()

    def on_work_end(self) -> None:
        """Draw what is true now that the work is done."""
        with self._asking:
            self._num_at_work -= 1
        self._draw_all()

    def on_cell_begin(self) -> None:
        """Collect what a loop in this cell of the notebook requests; called in Colab."""
        self._is_in_cell = True

    def on_cell_end(self) -> None:
        """Draw what is true at the end of the cell."""
        self._is_in_cell = False
        self._draw_all()

    def flush(self) -> None:
        """Call all requested redraws now, in this thread."""
        self._draw(only_urgent=False)

    def _call_thread(self, is_urgent: bool) -> bool:
        """Return whether a thread draws; a process limit can keep it from starting."""
        if is_urgent:
            self._has_urgent.set()
        if self._thread is None:
            thread = threading.Thread(target=self._publish, name="publisher", daemon=True)
            try:
                thread.start()  # it waits for `_asking` before it takes a request
            except RuntimeError:
                return False
            self._thread = thread
        return True

    def _is_round_due(self) -> bool:
        return time.monotonic() >= self._next_round_s

    def _draw_all(self) -> None:
        """Draw in the foreground until nothing is left: who requests it in a redraw is heard."""
        if self._drawing_thread == threading.get_ident():
            return  # it goes on with this when the present redraw is done
        while self._requested:
            self.flush()
        self._next_round_s = time.monotonic() + self.interval_s

    def _draw(self, *, only_urgent: bool) -> None:
        with self._drawing:
            redraws = self._take(only_urgent=only_urgent)
            drawn: list[Redraw] = []
            before, self._drawing_thread = self._drawing_thread, threading.get_ident()
            try:
                while redraws:
                    if not only_urgent and self._has_urgent.is_set():
                        self._draw(only_urgent=True)
                    _call(redraws[0])
                    drawn.append(redraws.pop(0))
            finally:  # a KeyboardInterrupt leaves some to be drawn later
                self._drawing_thread = before
                with self._asking:
                    for redraw in redraws:
                        self._requested.setdefault(redraw, False)
            for listener in tuple(self._listeners):
                _call(partial(listener, drawn))

    def _take(self, *, only_urgent: bool) -> list[Redraw]:
        """Return the redraws that are due in this thread, as requested no more."""
        with self._asking:
            if self._num_at_work and threading.current_thread() is self._thread:
                self._has_urgent.clear()
                return []
            redraws = sorted(self._requested, key=self._requested.__getitem__, reverse=True)
            if only_urgent:
                redraws = [
                    redraw
                    for redraw in redraws
                    if self._requested[redraw] and self._may_hurry(redraw)
                ]
            self._hurried = self._hurried + Counter(redraws) if only_urgent else Counter()
            for redraw in redraws:
                del self._requested[redraw]
            self._has_urgent.clear()
        return redraws

    def _may_hurry(self, redraw: Redraw) -> bool:
        return self._hurried[redraw] < MAX_HURRIED

    def _publish(self) -> None:
        while True:
            self.flush()
            latest_s = time.monotonic() + 2 * self.interval_s
            next_round_s = latest_s - self.interval_s
            while self._wait(self._has_urgent, max(next_round_s - time.monotonic(), 0)):
                self._draw(only_urgent=True)
                # a round now would keep the page from showing what somebody waits for
                calm_s = time.monotonic() + self.interval_s / 2
                next_round_s = min(max(next_round_s, calm_s), latest_s)
            with self._asking:
                if self._num_at_work or not self._requested:
                    self._thread = None
                    return


def _call(redraw: Redraw) -> None:
    try:
        redraw()
    except Exception:  # one panel's fault must not keep the others from being drawn
        logging.getLogger("mnist_widgets").exception("A panel could not be redrawn")


def is_foreground() -> bool:
    """Return whether all drawing is left to the thread that trains."""
    return is_in_colab() or len(ForegroundDriver.in_use) > 0


def choose_interval_s(cpus: float) -> float:
    """Return the time between two rounds that fits the CPUs this process may use, in seconds."""
    return ROUND_INTERVAL_S * (2 if cpus <= FEW_CPUS else 1)


publisher = Publisher(choose_interval_s(effective_cpu_count()))
"""The one publisher of this kernel, shared by all panels."""
ForegroundDriver.watchers.append(publisher)
