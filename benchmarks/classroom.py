"""Measure the cost of a training, a click and a student when a whole class uses one JupyterHub.

It starts a real hub on loopback. Each simulated student gets a server, opens the first lesson and
runs all its cells. Then one student trains alone, then all train at once; a student who trains
clicks an image two seconds after each answer. All this runs three times: with one thread for each
kernel, as docs/jupyterhub.md recommends, with the number of threads that the package chooses, and
with torch's default. The students have no browsers: one process sends what a page would send
(`simulated_student.py`) and uses its share of the same cores.

    pip install "jupyterhub>=5"
    npm install configurable-http-proxy
    python benchmarks/classroom.py --proxy node_modules/.bin/configurable-http-proxy

The lesson trains on MNIST if `MNIST_WIDGETS_DATA` is set, otherwise on the bundled digits. It runs
only on Linux. Eight students on two cores need 7 GB of memory and about twelve minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch  # before the package, which can lower the number of its threads
from hub_server import ROOT, HubServer, Weight
from simulated_student import Student, wait_for_hub
from tornado.httpclient import AsyncHTTPClient

LESSON = ROOT / "notebooks" / "01_training_a_neural_network.ipynb"
CLICK_INTERVAL_S = 2.0
CLICK_TIMEOUT_S = 60.0  # a click without an answer by then is lost
IDLE_S = 10.0
WHAT_IT_TRAINS = (
    "f'{len(train_set):,} images in batches of {batch_size}, {torch.get_num_threads()} threads'"
)


class Work(NamedTuple):
    """The measurements of one student.

    Attributes:
        seconds: from Start to the end or to the time limit.
        progress: the share of the training done by then, from 0 to 1.
        clicks_s: for each click, the seconds until its prediction.
        num_lost: clicks without an answer.
    """

    seconds: float
    progress: float
    clicks_s: list[float]
    num_lost: int

    @property
    def whole_s(self) -> float:
        """Seconds for the whole training at the measured speed."""
        return self.seconds / max(self.progress, 1e-3)


async def train_and_click(student: Student, options: argparse.Namespace) -> Work:
    """Train as one student, and click another image every `CLICK_INTERVAL_S`."""
    began = time.perf_counter()
    await student.press_start(options.epochs, CLICK_TIMEOUT_S)
    clicks_s: list[float] = []
    num_lost = 0
    end = asyncio.create_task(
        student.page.wait_until(lambda: student.reads("Finished"), options.patience)
    )
    while not end.done():
        clicked = time.perf_counter()
        try:
            await student.click_image(CLICK_TIMEOUT_S)
            clicks_s.append(time.perf_counter() - clicked)
        except asyncio.TimeoutError:
            num_lost += 1
        await asyncio.wait([end], timeout=CLICK_INTERVAL_S)
    seconds = time.perf_counter() - began
    is_done = end.exception() is None
    return Work(seconds, 1 if is_done else student.progress, clicks_s, num_lost)


async def open_lesson(student: Student, cells: Sequence[str]) -> float:
    """Start a student's server, run the lesson's cells, and return the seconds."""
    began = time.perf_counter()
    await student.start_server()
    await student.open_notebook(json.loads(LESSON.read_text(encoding="utf-8")))
    for cell in cells:
        await student.page.run_cell(cell)
    return time.perf_counter() - began


async def hold_class(hub: HubServer, cells: Sequence[str], options: argparse.Namespace) -> float:
    """Run a class, print the results, and return how much slower it trained than one student."""
    await wait_for_hub(hub)
    students = [Student(hub, number + 1) for number in range(options.students)]
    opened_s = await asyncio.gather(*(open_lesson(student, cells) for student in students))
    words = await students[0].page.run_cell("", WHAT_IT_TRAINS)
    print(f"  {words.strip(chr(39))}")
    print(f"  all students had run the lesson after {max(opened_s):.0f} s")
    used_s = hub.cpu_seconds()
    await asyncio.sleep(IDLE_S)
    idle = (hub.cpu_seconds() - used_s) / IDLE_S / options.students
    print(f"  a student who only reads uses {100 * idle:.1f} % of a core")
    alone = await train_and_click(students[0], options)
    print_works("one alone", [alone])
    began, used_s, own_s = time.perf_counter(), hub.cpu_seconds(), time.process_time()
    works = await asyncio.gather(*(train_and_click(student, options) for student in students))
    seconds = time.perf_counter() - began
    print_works("all at once", works)
    cores = (hub.cpu_seconds() - used_s) / seconds
    own_cores = (time.process_time() - own_s) / seconds
    print(f"  {cores:.2f} cores used by the hub, {own_cores:.2f} for the simulated students")
    print_weights(hub.weigh_students(), hub.weigh_hub())
    return statistics.median(work.whole_s for work in works) / alone.whole_s


def print_works(title: str, works: Sequence[Work]) -> None:
    """Print the times of the trainings and of the clicks."""
    wholes_s = [work.whole_s for work in works]
    clicks_s = [seconds for work in works for seconds in work.clicks_s]
    num_done = sum(work.progress == 1 for work in works)
    print(
        f"  {title}: {num_done} of {len(works)} trainings finished; "
        f"{statistics.median(wholes_s):.1f} s a training, the longest {max(wholes_s):.1f} s"
    )
    print(
        f"    {len(clicks_s)} clicks answered, {sum(work.num_lost for work in works)} lost: "
        f"median {1000 * statistics.median(clicks_s):.0f} ms, "
        f"p95 {1000 * statistics.quantiles(clicks_s, n=20, method='inclusive')[-1]:.0f} ms, "
        f"longest {1000 * max(clicks_s):.0f} ms"
        if len(clicks_s) > 1
        else "    too few clicks"
    )


def print_weights(students: Sequence[Weight], hub: Weight) -> None:
    """Print the memory of a student and of the hub."""
    peak = max(weight.peak for weight in students)
    proportional = statistics.median(weight.proportional for weight in students)
    print(
        f"  a student's server and kernel: {peak:.0f} MB at the peak, "
        f"{proportional:.0f} MB with shared libraries divided; hub and proxy: {hub.peak:.0f} MB"
    )


def choose_data() -> dict[str, str]:
    """Return variables for MNIST if it is available, otherwise for the bundled digits only."""
    if data := os.environ.get("MNIST_WIDGETS_DATA"):
        return {"MNIST_WIDGETS_DATA": str(Path(data).resolve())}
    nowhere = "http://127.0.0.1:9"
    return {
        "MNIST_WIDGETS_DATA": tempfile.mkdtemp(),
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "no_proxy": "127.0.0.1,localhost",
    }


def read_lesson(epochs: int) -> list[str]:
    """Return the code of the lesson's cells, with fewer epochs."""
    notebook: dict[str, Any] = json.loads(LESSON.read_text(encoding="utf-8"))
    codes = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [f"num_epochs = {epochs}" if "num_epochs = " in code else code for code in codes]


def main() -> None:
    """Run the class with each number of threads, and print how much slower it trained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=5, help="of the measured training")
    parser.add_argument("--patience", type=float, default=150, help="seconds for one training")
    parser.add_argument("--proxy", default="configurable-http-proxy", help="the proxy's command")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `timeout` ends the hub too
    AsyncHTTPClient.configure(None, max_clients=10 * options.students)
    print(f"{options.students} students on {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    cells = read_lesson(epochs=1)
    default = str(torch.get_num_threads())
    ways: dict[str, tuple[dict[str, str], list[str]]] = {
        "with one thread each": ({"OMP_NUM_THREADS": "1"}, cells),
        "with the package's threads": ({}, cells),
        "with torch's own threads": ({"OMP_NUM_THREADS": default}, ["import torch", *cells]),
    }
    for title, (environment, its_cells) in ways.items():
        print(f"{title}:", flush=True)
        hub = HubServer(options.proxy, {**choose_data(), **environment})
        try:
            hub.start()
            slow_down = asyncio.run(hold_class(hub, its_cells, options))
        finally:
            hub.stop()
        print(f"  a training took {slow_down:.1f} times as long as alone", flush=True)


if __name__ == "__main__":
    main()
