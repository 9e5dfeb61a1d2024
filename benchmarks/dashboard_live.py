"""Measure the speed, the cost and the messages of a live dashboard in a real browser.

Three questions in one run in JupyterLab and Chromium, each with its limit:

1. How long does it take from a click on an image of the gallery until its picture, sentence and
   bars appear, and until the kernel has received the click? The clicks are real mouse clicks, the
   page measures the times, and a training runs all the time.
2. How much slower is a training with the dashboard than the same training without widgets? Both
   run in one kernel and take turns, in several kernels one after the other: in one process, two
   equal trainings differ by up to 7 % for as long as it lives, even without any widget.
3. How often are the charts redrawn, and how many messages does the page get, during a training and
   in the second after its end?

    python benchmarks/dashboard_live.py [--clicks 200] [--kernels 5] [--rounds 4] [--seconds 5]

It uses MNIST if `MNIST_WIDGETS_DATA` names it, otherwise the bundled digits. The host of a virtual
machine sometimes takes its CPUs away, which says nothing about the dashboard. So the results are
printed twice: for all clicks and rounds, and for those without such a disturbance.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from real_lab import WINDOW, Lab, describe_load, open_lab, read_stolen_s

Counts: TypeAlias = dict[str, Any]  # as page_probes.js returns them
Result = TypeVar("Result")
Measured = TypeVar("Measured", "Click", "Round")

CLICK_BOUND_MS, SLOWDOWN_BOUND, REDRAWS_BOUND = 60, 1.10, 15
LOST_AFTER_MS = 2000
ANSWERS = {
    "From click to changed chart while training": "chart_ms",
    "From click to the kernel's echo while training": "kernel_ms",
}
STOLEN_BOUND = 0.02
"""The largest share of CPU time taken by the host that still counts as undisturbed."""
ENDLESS = 10_000  # epochs
CHARTS = ("loss", "prediction", "confusion")
PROBES = Path(__file__).with_name("page_probes.js").read_text(encoding="utf-8")

SETUP = f"""
import importlib.metadata, json, os, time
data = {os.environ.get("MNIST_WIDGETS_DATA")!r}
if data is not None:
    os.environ["MNIST_WIDGETS_DATA"] = data
from mnist_widgets import Callback, RunConfig, TrainingSession, load_digits
from mnist_widgets.widgets import dashboard
import torch
train_set, test_set = load_digits()
"""
DASHBOARD = "lab = dashboard(data=(train_set, test_set))\nlab"
SESSIONS = """
class Clock(Callback):
    def on_train_begin(self, trainer):
        self.times = [time.perf_counter()]
    def on_epoch_end(self, trainer, report):
        self.times.append(time.perf_counter())

config = RunConfig(batch_size=lab.session.trainer.train_batches.batch_size)
sessions = {"live": lab.session, "bare": TrainingSession(config.build(train_set, test_set))}
clocks = {name: Clock() for name in sessions}
for name, session in sessions.items():
    session.trainer.callbacks.append(clocks[name])
names = ("torch", "ipywidgets", "bqplot", "anywidget", "ipykernel", "jupyterlab")
print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))
print(f"{train_set!r}, batches of {config.batch_size}, {torch.get_num_threads()} thread(s)")
"""
# The labels of the first page's images, by which a sentence is known.
LABELS = """
names, shown = test_set.class_names, lab.panels['gallery'].visible_indices
print(json.dumps([names[test_set.labels[index]] for index in shown]))
"""


# The same as a click on Reset: the first weights and an empty history.
RESET = """
lab.session.reset()
lab.session.between_batches(lambda: None).result(10)
"""


class Click(NamedTuple):
    """Milliseconds from a click to its chart and to the kernel's echo, or None if it is lost.

    `stolen` is the share of CPU time that the host took meanwhile.
    """

    chart_ms: float | None
    kernel_ms: float | None
    stolen: float


class Round(NamedTuple):
    """Seconds of each epoch without widgets and with them, and the counts of the page."""

    bare: list[float]
    live: list[float]
    during: Counts
    after: Counts
    stolen: float


def watch_host(measure: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result of `measure`, and the share of CPU time that the host took meanwhile."""
    began_s, stolen_s = time.monotonic(), read_stolen_s()
    result = measure()
    cpu_s = (time.monotonic() - began_s) * (os.cpu_count() or 1)
    return result, (read_stolen_s() - stolen_s) / cpu_s


def measure_clicks(lab: Lab, images: Sequence[dict[str, str]], num_clicks: int) -> list[Click]:
    """Click random images of the first page while a training runs."""
    options = lab.page.locator(".mw-image-gallery [role=option]")
    lab.page.locator(".mw-dashboard").evaluate("lab => lab.scrollIntoView({block: 'start'})")
    boxes = [option.bounding_box() for option in options.all()[: len(images)]]
    rng = random.Random(0)  # noqa: S311 - not for security

    def click(position: int) -> dict[str, float | None]:
        answer = lab.page.evaluate_handle(
            "([...expected]) => probes.awaitClick(...expected)",
            [images[position], position, LOST_AFTER_MS],
        )
        box = boxes[position]
        lab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        return answer.evaluate("answer => answer()")

    position, clicks = 0, []
    for _ in range(num_clicks):
        label = images[position]["label"]
        # another label each time, so that sentence and bars must change
        position = rng.choice([i for i, image in enumerate(images) if image["label"] != label])
        times, stolen = watch_host(partial(click, position))
        clicks.append(Click(times["chart"], times["kernel"], stolen))
        lab.page.wait_for_timeout(rng.uniform(50, 350))  # not in step with the kit's redraws
    return clicks


def measure_epochs(lab: Lab, name: str, num_epochs: int) -> tuple[list[float], dict[str, Counts]]:
    """Train with (`live`) or without (`bare`) the dashboard.

    Returns:
        Seconds of each epoch, including its evaluation; and the counts of the page if it is live.
    """
    lab.run_cell(f"sessions['{name}'].start({num_epochs})")
    if name == "live":
        counts = lab.page.evaluate("probes.countTraining()")
    else:
        counts = {}
        lab.run_cell("sessions['bare'].join()")
    times = json.loads(lab.run_cell(f"print(clocks['{name}'].times)"))
    return [end - begin for begin, end in pairwise(times)], counts


def measure_round(lab: Lab, num_epochs: int, *, live_first: bool) -> Round:
    """Train for some epochs without and with the dashboard, in either order."""
    names = ("live", "bare") if live_first else ("bare", "live")
    found, stolen = watch_host(
        lambda: {name: measure_epochs(lab, name, num_epochs) for name in names}
    )
    return Round(found["bare"][0], found["live"][0], **found["live"][1], stolen=stolen)


def judge(is_within: bool) -> str:
    """Return the word for a result within its limit, or above it."""
    return "ok" if is_within else "TOO HIGH"


def report_clicks(clicks: Sequence[Click]) -> None:
    """Print the times of the clicks."""
    for title, name in ANSWERS.items():
        print(f"\n{title}:")
        for some, which in split_by_host(clicks):
            answers = [getattr(click, name) for click in some]
            times = [time_ms for time_ms in answers if time_ms is not None]
            num_lost = len(some) - len(times)
            if len(times) < 2:
                print(f"  {which} clicks: too few to judge")
                continue
            p95 = statistics.quantiles(times, n=20)[-1]
            print(
                f"  {which} clicks: median {statistics.median(times):.0f} ms   p95 {p95:.0f} ms   "
                f"longest {max(times):.0f} ms   lost {num_lost}"
            )
            if name == "chart_ms":
                print(f"    p95 at most {CLICK_BOUND_MS} ms: {judge(p95 <= CLICK_BOUND_MS)}")
            print(f"    all within {LOST_AFTER_MS / 1000:g} s: {judge(num_lost == 0)}")


def report_slowdown(rounds: Sequence[Round]) -> None:
    """Print how much the dashboard slows down the training."""
    print(f"\nSeconds an epoch, {len(rounds)} rounds of several epochs; live / bare:")
    for round_ in rounds:
        ratio = sum(round_.live) / sum(round_.bare)
        print(f"  {ratio:.3f}   while the host took {round_.stolen:.1%} of the CPUs")
    for some, which in split_by_host(rounds):
        if not some:
            print(f"  {which} rounds: nothing to judge")
            continue
        bare, live = (
            statistics.median(seconds for round_ in some for seconds in getattr(round_, name))
            for name in ("bare", "live")
        )
        print(
            f"  {which} rounds: {bare:.3f} s without widgets, {live:.3f} s with the dashboard: "
            f"{live / bare:.3f} times; at most {SLOWDOWN_BOUND:.2f}: "
            f"{judge(live / bare <= SLOWDOWN_BOUND)}"
        )


def split_by_host(measured: Sequence[Measured]) -> list[tuple[Sequence[Measured], str]]:
    """Return all measurements, and those that the host did not disturb."""
    untouched = [one for one in measured if one.stolen <= STOLEN_BOUND]
    return [(measured, f"all {len(measured)}"), (untouched, f"{len(untouched)} undisturbed")]


def count_busiest_second(counts: Counts) -> int:
    """Return the largest number of chart redraws within one second."""
    times = sorted(time_ms for name in CHARTS for time_ms in counts["redraws"][name])
    return max(
        (bisect_left(times, time_ms + 1000) - i for i, time_ms in enumerate(times)), default=0
    )


def report_counts(title: str, counts: Sequence[Counts]) -> None:
    """Print redraws and messages a second."""
    seconds = sum(count["seconds"] for count in counts)
    rates = {
        name: sum(len(count["redraws"][name]) for count in counts) / seconds
        for name in counts[0]["redraws"]
    }
    busiest = max(count_busiest_second(count) for count in counts)
    messages, num_bytes = (sum(count[key] for count in counts) for key in ("messages", "bytes"))
    total = sum(rates[name] for name in CHARTS)
    print(f"\nIn a second {title}:")
    print(
        f"  {total:.1f} redraws of charts: "
        + ", ".join(f"{name} {rates[name]:.1f}" for name in CHARTS)
        + f"; in the busiest second {busiest}   (not counted: gallery {rates['gallery']:.1f})"
    )
    print(f"  {messages / seconds:.0f} messages, {num_bytes / 1000 / seconds:.0f} kB")
    print(f"  at most {REDRAWS_BOUND} redraws: {judge(total <= REDRAWS_BOUND)}")


def measure_kernel(num_clicks: int, num_rounds: int, seconds: float) -> list[Round]:
    """Open a lab in a new kernel, print the times of clicks, and return some rounds of training."""
    with open_lab([SETUP, DASHBOARD]) as lab:
        print(f"Python {platform.python_version()}, {lab.run_cell(SESSIONS).strip()}")
        browser = lab.page.context.browser
        version = browser.version if browser else "unknown"
        print(f"Chromium {version}, window of {WINDOW['width']} by {WINDOW['height']}")
        lab.page.evaluate(PROBES)
        (epoch_s,) = measure_epochs(lab, "bare", 1)[0]  # and warm up
        num_epochs = max(1, round(seconds / epoch_s))
        if num_clicks:
            report_clicks_while_training(lab, num_clicks)
        rounds = [
            measure_round(lab, num_epochs, live_first=index % 2 == 1) for index in range(num_rounds)
        ]
        lab.raise_problems()
    return rounds


def report_clicks_while_training(lab: Lab, num_clicks: int) -> None:
    """Click while a training runs, and print the times and the counts of the page."""
    labels = json.loads(lab.run_cell(LABELS))
    images = lab.page.evaluate("labels => probes.collectImages(labels)", labels)
    lab.run_cell(f"lab.session.start({ENDLESS})")
    lab.page.evaluate("probes.reset()")
    clicks = measure_clicks(lab, images, num_clicks)
    while_clicking = lab.page.evaluate("probes.takeCounts()")
    num_batches = lab.run_cell("lab.session.stop(); print(lab.session.last_report.step)")
    report_clicks(clicks)
    report_counts(f"of clicks and training, {int(num_batches):,} batches long", [while_clicking])
    lab.run_cell(RESET)


def main() -> None:
    """Measure, and print each result with its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=200, help="in the first kernel")
    parser.add_argument("--kernels", type=int, default=5, help="new ones for the slow-down")
    parser.add_argument("--rounds", type=int, default=4, help="of each kernel, with and without")
    parser.add_argument("--seconds", type=float, default=5, help="length of half a round")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, {describe_load()}")
    rounds = [
        round_
        for index in range(options.kernels)
        for round_ in measure_kernel(
            options.clicks if index == 0 else 0, options.rounds, options.seconds
        )
    ]
    report_slowdown(rounds)
    report_counts("of training alone", [round_.during for round_ in rounds])
    report_counts("after its end", [round_.after for round_ in rounds])
    print(f"\nAt the end: {describe_load()}")


if __name__ == "__main__":
    main()
