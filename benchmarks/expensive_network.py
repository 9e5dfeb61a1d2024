"""Measure how fast a lab reacts while it evaluates a slow network, and how much memory that takes.

It uses two convolutional networks and all test images, on one thread, without a page. It sends a
request at a random moment of a prediction of all images, and of the evaluation after an epoch, and
measures the time until the request has taken effect. Limits: one batch and 150 ms for an answer,
150 MB of memory.

    python benchmarks/expensive_network.py [--rounds 5]

It uses MNIST from `MNIST_WIDGETS_DATA` or the cache, otherwise random images.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import threading
import time
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn

from mnist_widgets import Callback, DataError, DigitSet, load_mnist, train_step
from mnist_widgets.widgets import dashboard
from mnist_widgets.widgets.dashboard import Dashboard

BATCH_SIZE, NUM_BATCHES = 128, 10
ANSWER_BOUND_MS, MEMORY_BOUND_MB = 150, 150


def make_small_network() -> nn.Module:
    """Return a network of strided convolutions, which evaluates 10,000 images in about 50 ms."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(16 * 5 * 5, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def make_large_network() -> nn.Module:
    """Return a network common in tutorials, which takes about 5 s for 10,000 images."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def load_images() -> tuple[DigitSet, DigitSet]:
    """Return a few batches of MNIST's training set and the whole test set."""
    num_images = BATCH_SIZE * NUM_BATCHES
    try:
        train_set, test_set = load_mnist(download=False)
    except DataError as error:
        print(f"Random images instead of MNIST: {error}")
        names = tuple("0123456789")
        train_set, test_set = (
            DigitSet(
                torch.randint(0, 256, (size, 28, 28), dtype=torch.uint8),
                torch.randint(0, 10, (size,)),
                names,
                "random images",
            )
            for size in (num_images, 10_000)
        )
    first = slice(0, num_images)
    names = train_set.class_names
    return DigitSet(train_set.images[first], train_set.labels[first], names, "a few"), test_set


class EvaluationWatch(Callback):
    """Set an event when the last batch of an epoch is trained and its evaluation begins."""

    def __init__(self) -> None:
        self.is_evaluating = threading.Event()

    def on_batch_end(self, trainer, report):  # noqa: ANN001, ANN201, D102
        if report.batch == report.num_batches:
            self.is_evaluating.set()


def peak_mb() -> float:
    """Return the peak memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def settle(lab: Dashboard) -> None:
    """Wait until the session is idle, including long predictions."""
    lab.session.between_batches(lambda: None).result()
    lab.session.in_portions(lambda: (yield)).result()


def measure_ms(lab: Dashboard, request: Callable[[], object]) -> float:
    """Return the milliseconds until a request has taken effect."""
    began_s = time.perf_counter()
    request()
    lab.session.between_batches(lambda: None).result()
    return 1e3 * (time.perf_counter() - began_s)


def measure_at_rest(lab: Dashboard, whole_s: float, request: Callable[[], object]) -> float:
    """Return the milliseconds that a request waits during a prediction of all images."""
    lab._inference.count_now()  # noqa: SLF001 - the button's handler
    time.sleep(random.uniform(0.05, 0.4) * whole_s)  # noqa: S311
    return measure_ms(lab, request)


def measure_in_evaluation(
    lab: Dashboard, whole_s: float, watch: EvaluationWatch, request: Callable[[], object]
) -> float:
    """Return the milliseconds that a request waits during the evaluation after an epoch."""
    watch.is_evaluating.clear()
    if lab.session.can("start"):
        lab.session.start(10_000)
    elif lab.session.state == "paused":
        lab.session.resume()
    watch.is_evaluating.wait()
    time.sleep(random.uniform(0.05, 0.4) * whole_s)  # noqa: S311
    return measure_ms(lab, request)


def train_a_copy(model: nn.Module, train_set: DigitSet) -> None:
    """Train a copy of a network for one batch."""
    trained = deepcopy(model)
    batch = next(iter(train_set.batches(BATCH_SIZE)))
    optimizer = torch.optim.Adam(trained.parameters())
    train_step(trained, batch, nn.CrossEntropyLoss(), optimizer, torch.device("cpu"))


def measure(name: str, model: nn.Module, sets: tuple[DigitSet, DigitSet], rounds: int) -> None:
    """Print the waits and the memory of one network."""
    train_a_copy(model, sets[0])  # so that the memory of training is not counted
    memory_before_mb = peak_mb()
    lab = dashboard(model=model, data=sets, batch_size=BATCH_SIZE)
    began_s = time.perf_counter()
    settle(lab)
    whole_s = time.perf_counter() - began_s
    watch = EvaluationWatch()
    lab.session.trainer.callbacks.append(watch)
    lab.session.step(epochs=10_000)
    began_s = time.perf_counter()
    lab.session.between_batches(lambda: None).result()
    batch_ms = 1e3 * (time.perf_counter() - began_s)
    print(f"\n{name}: all images {whole_s:.2f} s, a batch {batch_ms:.0f} ms")

    def click() -> None:
        lab.selected_index = random.randrange(10_000)  # noqa: S311

    requests = {"click": click, "step": lab.session.step, "stop": lab.session.stop}
    for word, request in requests.items():
        report(
            f"{word}, all images", [measure_at_rest(lab, whole_s, request) for _ in range(rounds)]
        )
    for word, request in {
        "click": click,
        "pause": lab.session.pause,
        "stop": lab.session.stop,
    }.items():
        waits = [measure_in_evaluation(lab, whole_s, watch, request) for _ in range(rounds)]
        report(f"{word}, evaluation", waits)
    measure_at_rest(lab, whole_s, lambda: None)
    report("close, all images", [measure_closing_ms(lab)])
    growth_mb = peak_mb() - memory_before_mb
    print(f"  peak memory grew by {growth_mb:.0f} MB (limit {MEMORY_BOUND_MB})")


def measure_closing_ms(lab: Dashboard) -> float:
    """Return the milliseconds to close the session; then close the lab."""
    began_s = time.perf_counter()
    lab.session.close()
    wait_ms = 1e3 * (time.perf_counter() - began_s)
    lab.close()
    return wait_ms


def report(name: str, waits_ms: list[float]) -> None:
    """Print the median and the longest wait."""
    waits_ms = sorted(waits_ms)
    median_ms = waits_ms[len(waits_ms) // 2]
    bound = f"a batch and {ANSWER_BOUND_MS} ms"
    print(f"  {name:22} median {median_ms:4.0f} ms, longest {waits_ms[-1]:4.0f} ms (limit {bound})")


def main() -> None:
    """Measure both networks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    sets = load_images()
    measure("Small network", make_small_network(), sets, rounds)
    measure("Large network", make_large_network(), sets, rounds)


if __name__ == "__main__":
    main()
