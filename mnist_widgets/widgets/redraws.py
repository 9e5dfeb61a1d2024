"""Rate-limited, serialized widget updates.

A training changes data hundreds of times a second. A browser draws a few dozen updates a second,
and the Jupyter server drops messages above a thousand. So code that changes data requests a redraw.
A few times a second, the scheduler calls each redraw requested since the last time. No request is
lost: when a training pauses or ends, the page soon shows its final state. Two threads must not
write widgets at the same time, so one lock protects all redraws.
"""

from __future__ import annotations

import atexit
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable

from mnist_widgets.system.hosts import is_in_colab
from mnist_widgets.system.threads import effective_cpu_count

Redraw = Callable[[], None]

FRAME_INTERVAL_S = 0.25
"""Time from one frame, a call of all scheduled redraws, to the next: a chart then seems to move."""
FEW_CPUS, FEW_CPUS_INTERVAL_S = 2, 1.0
"""With this many CPUs or fewer, frames are rarer, because drawing slows the training there."""
FRAMES_PER_PREDICTION = 2
"""Frames from one prediction of what is shown to the next while the training runs."""
_LONGEST_REDRAW_S = 5.0  # which the end of the interpreter waits for
MAX_URGENT, URGENT_PERIOD_S = 3, 0.08
"""How many urgent redraws of a panel may follow each other at once, and the time in seconds after
which one more is allowed: enough for a person's clicks and strokes."""


class RedrawScheduler:
    """Calls requested redraws, in a thread that lives while there are any.

    A frame is a call of all requested redraws. Normally there is one in each interval; while clicks
    arrive, a frame can be delayed to two intervals. An urgent redraw does not wait for it: it may
    be called `MAX_URGENT` times at once, and once more after each `URGENT_PERIOD_S`. So a click is
    answered at once, even if its redraw requests another one.

    In Colab, which shows only what the main thread sends, and where no thread can be started, the
    main thread redraws, and `schedule` returns after the redraw. Requests of other threads then
    wait for the main thread's next frame. While a cell runs, requests that are not urgent wait too.
    A frame is due after each interval and at the end of the cell.

    Args:
        interval_s: time in seconds from one frame to the next.
        wait: takes an event and a time in seconds, and returns whether the event came in time;
            tests pass their own.
    """

    def __init__(
        self,
        interval_s: float = FRAME_INTERVAL_S,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self.interval_s = interval_s
        self._wait = wait
        # Lock order: `_drawing` before `_requesting`, which is held for a moment only. A redraw may
        # request another one, and may wait for a job of the training. So the training thread must
        # never wait for `_drawing`: both threads would wait forever.
        self._drawing = threading.RLock()
        self._requesting = threading.Lock()  # guards what follows
        self._requested: dict[Redraw, bool] = {}  # and whether it is urgent
        self._num_urgent: Counter[Redraw] = Counter()  # urgent redraws that still count
        self._has_urgent = threading.Event()
        self._thread: threading.Thread | None = None
        self._has_ended = False
        self._drawing_thread: int | None = None
        # used only where the main thread draws
        self._is_in_cell = False
        self._follow_ups: list[Redraw] | None = []  # requested by a redraw; None: a whole frame
        self._next_frame_s = -math.inf

    def schedule(self, redraw: Redraw, urgent: bool = False) -> None:
        """Call `redraw` soon, once for all requests until then.

        Args:
            redraw: brings some widgets up to date.
            urgent: whether a person waits for it, as after a click.
        """
        with self._requesting:
            if self._has_ended:
                return
            self._requested[redraw] = urgent or self._requested.get(redraw, False)
            if not is_in_colab() and self._ensure_thread():
                if self._is_urgent(redraw):
                    self._has_urgent.set()
                return
        if threading.current_thread() is threading.main_thread():
            self._draw_here(redraw, urgent)

    def on_cell_begin(self) -> None:
        """Draw at intervals from now on; called in Colab."""
        self._is_in_cell = True

    def on_cell_end(self) -> None:
        """Draw the state at the end of the cell."""
        self._is_in_cell = False
        self.flush()

    def end(self) -> None:
        """Draw nothing more, and wait for the redraws that run: torch aborts if a thread is killed.

        Called before the interpreter ends.
        """
        with self._requesting:
            self._has_ended = True
            self._requested.clear()
            thread = self._thread
        self._has_urgent.set()
        if thread is not None:
            thread.join(_LONGEST_REDRAW_S)

    def flush(self) -> None:
        """Call all requested redraws now, in this thread."""
        with self._requesting:
            self._num_urgent.clear()
        self._draw_with_follow_ups(None)
        self._next_frame_s = time.monotonic() + self.interval_s

    def _draw_here(self, redraw: Redraw, urgent: bool) -> None:
        """Draw a request of the main thread, or a whole frame if one is due."""
        if self._drawing_thread == threading.get_ident():  # drawn after the current redraws
            if urgent:
                self._follow_ups = None
            elif self._follow_ups is not None:
                self._follow_ups.append(redraw)
        elif urgent or time.monotonic() >= self._next_frame_s:
            self.flush()
        elif not self._is_in_cell:
            # only this one: while a training runs, there is always another request
            self._draw_with_follow_ups([redraw])

    def _draw_with_follow_ups(self, due: list[Redraw] | None) -> None:
        while due is None or due:
            drawn = self._draw(due)
            # only the follow-ups: a training in another thread, or a redraw that requests itself,
            # would keep this loop busy forever
            due, self._follow_ups = self._follow_ups, []
            due = due and [redraw for redraw in due if redraw not in drawn]

    def _ensure_thread(self) -> bool:
        """Return whether the thread runs; a process limit can keep it from starting."""
        if self._thread is None:
            thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)
            try:
                thread.start()  # it waits for `_requesting` before it takes a request
            except RuntimeError:
                return False
            self._thread = thread
        return True

    def _loop(self) -> None:
        while True:
            self.flush()
            now_s = time.monotonic()
            latest_s = now_s + 2 * self.interval_s
            next_frame_s, next_period_s = now_s + self.interval_s, now_s + URGENT_PERIOD_S
            while True:
                forgets = bool(self._num_urgent) and next_period_s < next_frame_s
                is_urgent = self._sleep_until(next_period_s if forgets else next_frame_s)
                if self._has_ended or not (is_urgent or forgets):
                    break
                if not self._num_urgent:
                    next_period_s = time.monotonic() + URGENT_PERIOD_S
                elif not is_urgent:
                    with self._requesting:  # another thread may flush
                        self._num_urgent -= Counter(self._num_urgent.keys())  # one of each
                    next_period_s += URGENT_PERIOD_S
                if self._draw_urgent():
                    # a frame now would delay the browser's answer to the click
                    calm_s = time.monotonic() + self.interval_s / 2
                    next_frame_s = min(max(next_frame_s, calm_s), latest_s)
            with self._requesting:  # a request after this look starts another thread
                if not self._requested:
                    self._thread = None
                    return

    def _sleep_until(self, when_s: float) -> bool:
        """Return whether something urgent came in time."""
        return self._wait(self._has_urgent, max(when_s - time.monotonic(), 0))

    def _draw_urgent(self) -> list[Redraw]:
        with self._requesting:
            due = [redraw for redraw in self._requested if self._is_urgent(redraw)]
            self._num_urgent.update(due)
            self._has_urgent.clear()
        return self._draw(due)

    def _is_urgent(self, redraw: Redraw) -> bool:
        """Return whether a redraw need not wait for the next frame."""
        return self._requested[redraw] and self._num_urgent[redraw] < MAX_URGENT

    def _draw(self, due: list[Redraw] | None) -> list[Redraw]:
        """Call the requested redraws among `due`, or all of them; return them, the urgent first."""
        with self._drawing:
            with self._requesting:
                redraws = sorted(self._requested, key=self._requested.__getitem__, reverse=True)
                if due is None:
                    self._has_urgent.clear()
                else:
                    redraws = [redraw for redraw in redraws if redraw in due]
                for redraw in redraws:
                    del self._requested[redraw]
            num_drawn = 0
            before, self._drawing_thread = self._drawing_thread, threading.get_ident()
            try:
                for redraw in redraws:
                    if due is None and self._has_urgent.is_set():
                        self._draw_urgent()
                    try:
                        redraw()
                    except Exception:  # one panel's error must not keep the others from being drawn
                        logging.getLogger("mnist_widgets").exception("A panel could not be redrawn")
                    num_drawn += 1
            finally:
                self._drawing_thread = before
                with self._requesting:  # after a KeyboardInterrupt the rest is drawn later
                    for redraw in redraws[num_drawn:]:
                        self._requested.setdefault(redraw, False)
                    if redraws[num_drawn:] and not is_in_colab():
                        self._ensure_thread()
        return redraws


def choose_interval_s(cpus: float) -> float:
    """Return the time between two frames that fits the CPUs this process may use, in seconds."""
    return FEW_CPUS_INTERVAL_S if cpus <= FEW_CPUS else FRAME_INTERVAL_S


scheduler = RedrawScheduler(choose_interval_s(effective_cpu_count()))
"""The one scheduler of this kernel, shared by all panels."""
atexit.register(scheduler.end)


def is_prediction_due(last_s: float) -> bool:
    """Return whether a running training may show new predictions, after those at `last_s`."""
    return time.monotonic() - last_s >= FRAMES_PER_PREDICTION * scheduler.interval_s
