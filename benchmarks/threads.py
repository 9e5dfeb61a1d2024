"""Measure the gain and the cost of torch's threads, as ratios to one thread within one run.

1. Milliseconds a step at several batch sizes, with all threads that the kit uses.
2. The same at batches of 512 for four trainers at once on two cores, with two threads each.
3. Seconds an epoch with the whole lab in a real page, with all threads.

One thread and all threads take turns, so that other load on the machine affects both. The result is
the median of the ratios. Steps run in subprocesses, because torch reads the settings of its threads
only when it loads. The third measurement needs Chromium.

    python benchmarks/threads.py [--rounds 7] [--no-lab]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

Worker: TypeAlias = "subprocess.Popen[str]"

NUM_STEPS = {16: 400, 32: 400, 64: 300, 512: 60}  # by batch size
STEP_BOUNDS = {16: 1.1, 32: 1.1, 64: 1.1, 512: 0.75}
CROWD_BOUND, LAB_BOUND = 1.25, 0.88
CROWD_SIZE, CROWD_CPUS = 4, 2
EPOCHS_A_TURN = 3
SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "CPU_LIMIT")
CLOCK = """
import statistics, torch
class Clock(Callback):
    def on_train_begin(self, trainer):
        self.times = [time.perf_counter()]
    def on_epoch_end(self, trainer, report):
        self.times.append(time.perf_counter())

clock, all_threads = Clock(), torch.get_num_threads()
lab.session.trainer.callbacks.append(clock)
"""
EPOCHS = """
torch.set_num_threads({num_threads})
lab.session.start({num_epochs})
lab.session.join()
print(statistics.median(end - begin for begin, end in zip(clock.times, clock.times[1:])))
"""


def work() -> None:
    """Read lines "threads batch_size num_steps" and print the milliseconds of a step for each."""
    from mnist_widgets import DigitSet, SimpleNet, Trainer
    import torch  # isort: skip

    num_images = max(size * num_steps for size, num_steps in NUM_STEPS.items())
    images = torch.randint(0, 256, (num_images, 28, 28), dtype=torch.uint8)
    labels = torch.randint(0, 10, (num_images,))
    model = SimpleNet(28 * 28, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    print(torch.get_num_threads(), flush=True)
    for line in sys.stdin:
        num_threads, batch_size, num_steps = map(int, line.split())
        torch.set_num_threads(num_threads)
        some = slice(batch_size * num_steps)
        digit_set = DigitSet(images[some], labels[some], "0123456789", "random images")
        batches = digit_set.batches(batch_size, shuffle=True)
        trainer = Trainer(model, torch.nn.CrossEntropyLoss(), optimizer, batches, device="cpu")
        began_s = time.perf_counter()
        trainer.fit(1)
        print(1000 * (time.perf_counter() - began_s) / num_steps, flush=True)


@contextmanager
def start_workers(num_workers: int, num_cpus: int | None = None) -> Iterator[list[Worker]]:
    """Yield processes that run `work`, on all CPUs or on `num_cpus`; end them afterwards."""
    environ = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, __file__, "--work", *([str(num_cpus)] if num_cpus else [])]
    workers = [
        subprocess.Popen(  # noqa: S603 - runs this file
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(num_workers)
    ]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def measure_step_ms(workers: Sequence[Worker], num_threads: int, batch_size: int) -> float:
    """Return the mean milliseconds of a step when all `workers` train at once."""
    for worker in workers:
        worker.stdin.write(f"{num_threads} {batch_size} {NUM_STEPS[batch_size]}\n")
        worker.stdin.flush()
    return statistics.mean(float(worker.stdout.readline()) for worker in workers)


def compare(measure: Callable[[int], float], num_threads: int, num_rounds: int) -> float:
    """Print the medians with one thread and with `num_threads`; return the median ratio."""
    measure(1), measure(num_threads)  # warm up
    rounds = [(measure(1), measure(num_threads)) for _ in range(num_rounds)]
    one, many = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"{one:8.2f} {many:8.2f}", end="")
    return statistics.median(many / one for one, many in rounds)


def judge(ratio: float, bound: float) -> bool:
    """Print a ratio with its limit; return whether it is above the limit."""
    print(f"   ratio {ratio:.2f}, at most {bound:.2f}: {'TOO HIGH' if ratio > bound else 'ok'}")
    return ratio > bound


def compare_steps(num_rounds: int) -> list[bool]:
    """Compare the steps of one trainer at each batch size."""
    with start_workers(1) as workers:
        num_threads = int(workers[0].stdout.readline())
        print(f"Milliseconds a step with 1 and with {num_threads} threads")
        faults = []
        for batch_size, bound in STEP_BOUNDS.items():
            print(f"  batch {batch_size:4}      ", end="")
            ratio = compare(
                lambda threads, size=batch_size: measure_step_ms(workers, threads, size),
                num_threads,
                num_rounds,
            )
            faults.append(judge(ratio, bound))
    return faults


def compare_crowd(num_rounds: int) -> bool:
    """Compare the steps of four trainers at once on two cores."""
    with start_workers(CROWD_SIZE, CROWD_CPUS) as workers:
        for worker in workers:
            worker.stdout.readline()
        print(f"  {CROWD_SIZE} trainers, 512 ", end="")
        ratio = compare(lambda threads: measure_step_ms(workers, threads, 512), 2, num_rounds)
    return judge(ratio, CROWD_BOUND)


def compare_lab(num_rounds: int) -> bool:
    """Compare epochs with the whole lab in a page, with MNIST if `MNIST_WIDGETS_DATA` is set."""
    from dashboard_live import DASHBOARD, SETUP
    from real_lab import open_lab

    for name in SETTINGS:
        os.environ.pop(name, None)
    with open_lab([SETUP, DASHBOARD]) as lab:
        lab.run_cell(CLOCK)

        def measure(num_threads: int) -> float:
            cell = EPOCHS.format(num_threads=num_threads, num_epochs=EPOCHS_A_TURN)
            return float(lab.run_cell(cell).split()[-1])

        num_threads = int(lab.run_cell("print(all_threads)"))
        print(f"Seconds an epoch in the lab with 1 and with {num_threads} threads\n{'':19}", end="")
        return judge(compare(measure, num_threads, num_rounds), LAB_BOUND)


def main() -> None:
    """Print all ratios, and fail if one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-lab", action="store_true", help="skip the lab in a page")
    options = parser.parse_args()
    faults = [*compare_steps(options.rounds), compare_crowd(options.rounds)]
    if not options.no_lab:
        faults.append(compare_lab(options.rounds))
    sys.exit(any(faults))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        for num_cpus in map(int, sys.argv[2:]):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:num_cpus])
        work()
    else:
        main()
