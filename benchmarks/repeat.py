"""Measure what a repeat with five seeds costs, in times of one run.

A lab trains one run of the default network, then a repeat with five seeds, in turns; both with
panels, but without a page that draws them.

    python benchmarks/repeat.py [--epochs 3] [--rounds 3] [--bundled]

It needs MNIST in `MNIST_WIDGETS_DATA` or the cache, unless `--bundled` is given.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from mnist_widgets import TrainingSession, load_bundled_digits, load_mnist
from mnist_widgets.runs.repeats import NUM_SEEDS, choose_seeds
from mnist_widgets.widgets import dashboard


def main() -> None:
    """Print the times of each round, and the median of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=3, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="one run and one repeat in each")
    parser.add_argument("--bundled", action="store_true", help="use the bundled digits")
    arguments = parser.parse_args()
    lab = dashboard(data=load_bundled_digits() if arguments.bundled else load_mnist())
    ratios = []
    for _ in range(arguments.rounds):
        one_s = measure_s(lab.session, lambda: lab.session.start(arguments.epochs))
        config = lab.panels["settings"].config
        build = lab._factory.make_trainer_of_repeat  # noqa: SLF001 - as the button does
        trainers = lab.run_log.record_repeat(choose_seeds(config), build, arguments.epochs)
        all_s = measure_s(
            lab.session,
            lambda: lab.session.start_each(trainers, NUM_SEEDS, arguments.epochs),  # noqa: B023
        )
        ratios.append(all_s / one_s)
        print(f"one run: {one_s:.2f} s, {NUM_SEEDS} seeds: {all_s:.2f} s, {ratios[-1]:.2f} times")
    print(f"median: {statistics.median(ratios):.2f} times")


def measure_s(session: TrainingSession, start: Callable[[], None]) -> float:
    """Return how long a training takes from its start to its end, from the first weights on."""
    session.reset()
    session.between_batches(lambda: None).result()
    began_s = time.perf_counter()
    start()
    session.join()
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
