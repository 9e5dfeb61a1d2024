"""When panels are redrawn, and by whom."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter

import pytest
from timeouts import TIMEOUT_S

from mnist_widgets.widgets import redraws
from mnist_widgets.widgets.redraws import (
    MAX_URGENT,
    URGENT_PERIOD_S,
    RedrawScheduler,
    choose_interval_s,
)


class Clock:
    """A `wait` for schedulers that blocks until the test releases it."""

    def __init__(self) -> None:
        self.asleep, self._may_wake = threading.Semaphore(0), threading.Semaphore(0)
        self._is_over = threading.Event()

    def wait(self, _has_urgent: threading.Event, _seconds: float) -> bool:
        self.asleep.release()
        if not self._is_over.is_set():
            self._may_wake.acquire()
        return False

    def end(self) -> None:
        """Let every wait return from now on, so that no thread outlives its test."""
        self._is_over.set()
        self._may_wake.release()

    def let_an_interval_pass(self) -> None:
        self._may_wake.release()

    def wait_until_asleep(self) -> None:
        assert self.asleep.acquire(timeout=TIMEOUT_S)


@pytest.fixture
def clock():
    clock = Clock()
    yield clock
    clock.end()


@pytest.fixture
def scheduler(clock):
    return RedrawScheduler(wait=clock.wait)


class SimulatedTime:
    """The `time` and the `wait` of schedulers; a wait takes no time and counts its milliseconds."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.on_tick = lambda: None

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, has_urgent: threading.Event, seconds: float) -> bool:
        end_s = self.now_s + seconds
        while self.now_s < end_s and not has_urgent.is_set():
            self.now_s += 0.001
            self.on_tick()
        return has_urgent.is_set()


@pytest.fixture
def simulated(monkeypatch):
    simulated = SimulatedTime()
    monkeypatch.setattr(redraws, "time", simulated)
    return simulated


@pytest.mark.parametrize(("cpus", "interval_s"), [(0.5, 1.0), (2, 1.0), (2.5, 0.25), (16, 0.25)])
def test_frames_are_rarer_if_there_are_few_cpus(cpus, interval_s):
    assert choose_interval_s(cpus) == interval_s


def test_requests_within_an_interval_become_one_redraw(scheduler, clock):
    drawn = []
    redraw = lambda: drawn.append(len(drawn))  # noqa: E731 - one function object for all requests
    scheduler.schedule(redraw)
    clock.wait_until_asleep()
    assert drawn == [0]
    for _ in range(100):
        scheduler.schedule(redraw)
    assert drawn == [0]
    clock.let_an_interval_pass()
    clock.wait_until_asleep()
    assert drawn == [0, 1]


def test_the_last_request_is_always_drawn(scheduler, clock):
    data, drawn = [], []
    redraw = lambda: drawn.append(list(data))  # noqa: E731
    for number in range(3):
        data.append(number)
        scheduler.schedule(redraw)
    clock.wait_until_asleep()
    data.append(3)
    scheduler.schedule(redraw)
    clock.let_an_interval_pass()
    clock.wait_until_asleep()
    assert drawn[-1] == [0, 1, 2, 3]


def test_the_thread_ends_when_nothing_is_requested_and_comes_back(scheduler, clock):
    drawn = []
    for _ in range(2):
        scheduler.schedule(lambda: drawn.append(1))
        clock.wait_until_asleep()
        thread = scheduler._thread
        clock.let_an_interval_pass()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
        assert scheduler._thread is None
    assert len(drawn) == 2


def test_an_urgent_request_is_drawn_alone_and_does_not_wait_for_the_interval(simulated):
    drawn, is_over = [], threading.Event()
    scheduler = RedrawScheduler(interval_s=0.5, wait=simulated.wait)

    def draw_patient() -> None:
        drawn.append(("patient", simulated.now_s))
        is_over.set()

    def request() -> None:
        simulated.on_tick = lambda: None
        scheduler.schedule(draw_patient)
        scheduler.schedule(lambda: drawn.append(("urgent", simulated.now_s)), urgent=True)

    simulated.on_tick = request
    scheduler.schedule(lambda: None)  # begins the interval
    assert is_over.wait(TIMEOUT_S)
    (first, first_s), (second, second_s) = drawn
    assert (first, second) == ("urgent", "patient")
    assert first_s == pytest.approx(0, abs=0.002)
    assert second_s == pytest.approx(0.5, abs=0.002)


def test_one_urgent_redraw_after_the_other_is_drawn_within_an_interval():
    begun, first, second = (threading.Event() for _ in range(3))
    scheduler = RedrawScheduler(interval_s=TIMEOUT_S)
    scheduler.schedule(begun.set)
    assert begun.wait(TIMEOUT_S / 2)
    scheduler.schedule(first.set, urgent=True)
    assert first.wait(TIMEOUT_S / 2)
    scheduler.schedule(second.set, urgent=True)
    assert second.wait(TIMEOUT_S / 2)


def test_several_clicks_within_an_interval_are_each_answered_at_once():
    scheduler = RedrawScheduler(interval_s=TIMEOUT_S)
    drawn = threading.Semaphore(0)
    scheduler.schedule(lambda: None)  # begins the interval

    def redraw() -> None:
        drawn.release()

    for _click in range(MAX_URGENT):
        scheduler.schedule(redraw, urgent=True)
        assert drawn.acquire(timeout=TIMEOUT_S / 2)


def test_urgent_requests_of_a_long_stroke_do_not_wait_for_the_next_frame():
    scheduler = RedrawScheduler(interval_s=4 * TIMEOUT_S)
    drawn = threading.Semaphore(0)
    scheduler.schedule(lambda: None)  # begins the interval

    def redraw() -> None:
        drawn.release()

    for _point in range(2 * MAX_URGENT + 1):
        scheduler.schedule(redraw, urgent=True)
        assert drawn.acquire(timeout=TIMEOUT_S)


def test_urgent_requests_without_end_are_allowed_one_by_one(simulated):
    scheduler, num_periods, times = RedrawScheduler(1.0, simulated.wait), 5, []
    is_enough = threading.Event()

    def redraw() -> None:
        times.append(simulated.now_s)
        if len(times) == 1 + MAX_URGENT + num_periods:
            is_enough.set()
        else:
            scheduler.schedule(redraw, urgent=True)

    scheduler.schedule(redraw, urgent=True)
    assert is_enough.wait(TIMEOUT_S)
    at_once = [0.0] * (1 + MAX_URGENT)  # the first with the frame
    later = [number * URGENT_PERIOD_S for number in range(1, 1 + num_periods)]
    assert times == pytest.approx([*at_once, *later], abs=0.002)


def test_flushing_beside_urgent_requests_does_not_end_the_drawing(monkeypatch):
    monkeypatch.setattr(redraws, "URGENT_PERIOD_S", 1e-7)
    interval_s = sys.getswitchinterval()
    scheduler = RedrawScheduler(TIMEOUT_S, wait=lambda has_urgent, _seconds: has_urgent.is_set())
    panels = [lambda _number=number: None for number in range(400)]
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):  # more rounds meet a race of both threads more often
            for panel in panels:
                scheduler.schedule(panel, urgent=True)
            scheduler.flush()
    finally:
        sys.setswitchinterval(interval_s)
    done = threading.Event()
    scheduler.schedule(done.set, urgent=True)
    assert done.wait(TIMEOUT_S)


def test_an_urgent_request_is_drawn_within_a_frame(scheduler, clock):
    scheduler.schedule(lambda: None)
    clock.wait_until_asleep()
    order = []

    def draw_first() -> None:
        order.append("first")
        scheduler.schedule(lambda: order.append("click"), urgent=True)

    scheduler.schedule(draw_first)
    scheduler.schedule(lambda: order.append("second"))
    scheduler.flush()
    assert order == ["first", "click", "second"]


def test_urgent_requests_without_end_do_not_break_the_rate(simulated):
    drawn, num_intervals, is_over = Counter(), 8, threading.Event()
    scheduler = RedrawScheduler(0.05, simulated.wait)

    def draw_chart() -> None:
        drawn["chart"] += 1

    def draw_panel() -> None:
        drawn["panel"] += 1

    def request() -> None:
        if simulated.now_s < num_intervals * scheduler.interval_s:
            scheduler.schedule(draw_chart)
            scheduler.schedule(draw_panel, urgent=True)
        else:
            is_over.set()

    simulated.on_tick = request
    scheduler.schedule(draw_chart)
    assert is_over.wait(TIMEOUT_S)
    scheduler.flush()
    assert num_intervals / 2 <= drawn["chart"] <= num_intervals + 1  # clicks delay some frames
    assert num_intervals / 2 <= drawn["panel"] <= (1 + MAX_URGENT) * (num_intervals + 1)


def test_the_end_stops_the_thread_and_later_requests():
    scheduler, drawn = RedrawScheduler(interval_s=TIMEOUT_S), []
    is_drawn = threading.Event()
    scheduler.schedule(is_drawn.set)
    assert is_drawn.wait(TIMEOUT_S)
    thread = scheduler._thread
    scheduler.schedule(lambda: drawn.append("late"))
    scheduler.end()
    assert not thread.is_alive()
    scheduler.schedule(lambda: drawn.append("later"), urgent=True)
    scheduler.flush()
    assert not drawn


def test_no_thread_is_left_when_the_interpreter_ends():
    """Torch aborts when a thread is killed at the end of a script."""
    script = (
        "import atexit, threading\n"
        "atexit.register(lambda: print([thread.name for thread in threading.enumerate()]))\n"
        "from mnist_widgets.widgets import LossChart\n"
        "chart = LossChart()\n"
        "chart.add_batch(1.0)\n"
    )
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "['MainThread']\n"), ended.stderr


def test_flush_draws_in_the_callers_thread(scheduler, clock):
    scheduler.schedule(lambda: None)
    clock.wait_until_asleep()
    threads = []
    scheduler.schedule(lambda: threads.append(threading.current_thread()))
    scheduler.flush()
    assert threads == [threading.current_thread()]


def test_two_threads_never_draw_at_once(scheduler, clock):
    is_drawing, overlaps = threading.Lock(), []

    def redraw() -> None:
        if not is_drawing.acquire(blocking=False):
            overlaps.append(1)
            return
        threading.Event().wait(0.001)
        is_drawing.release()

    def draw_often() -> None:
        for _ in range(20):
            scheduler.schedule(redraw)
            scheduler.flush()

    threads = [threading.Thread(target=draw_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert not overlaps


def test_a_failing_panel_does_not_keep_the_others_from_being_drawn(scheduler, clock, caplog):
    drawn = []

    def fail() -> None:
        raise ZeroDivisionError("planted")

    scheduler.schedule(lambda: None)
    clock.wait_until_asleep()
    scheduler.schedule(fail)
    scheduler.schedule(lambda: drawn.append(1))
    scheduler.flush()
    assert drawn == [1]
    assert "planted" in caplog.text
    caplog.clear()
    clock.let_an_interval_pass()
