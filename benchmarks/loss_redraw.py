"""Measure a redraw of the loss chart in the kernel, after a thousand batches and after a million.

Fifty batches are added between two redraws, as in a training with two milliseconds a batch. The
result is the ratio of the median to that of the first row.

    python benchmarks/loss_redraw.py [--redraws 100]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from mnist_widgets.widgets import LossChart

NUM_BATCHES = (1_000, 100_000, 1_000_000)
NEW_BATCHES = 50


def measure_redraw_s(num_batches: int, num_redraws: int) -> float:
    """Return the median seconds of a redraw of a chart with `num_batches` batches."""
    generator = np.random.default_rng(0)
    chart = LossChart()
    losses = chart.history.batch_losses
    losses.extend((np.exp(-np.arange(num_batches) / num_batches) + 0.1).tolist())
    chart.redraw()
    seconds = []
    for _ in range(num_redraws):
        losses.extend(generator.uniform(0.4, 0.6, NEW_BATCHES).tolist())
        began_s = time.perf_counter()
        chart.redraw()
        seconds.append(time.perf_counter() - began_s)
    chart.close()
    return statistics.median(seconds)


def main() -> None:
    """Print a row for each length."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--redraws", type=int, default=100)
    options = parser.parse_args()
    measure_redraw_s(NUM_BATCHES[0], 10)  # warm up: the first redraws load pandas
    seconds = [measure_redraw_s(num_batches, options.redraws) for num_batches in NUM_BATCHES]
    print(f"{'batches':>9}  {'ms':>6}  ratio")
    for num_batches, redraw_s in zip(NUM_BATCHES, seconds, strict=True):
        print(f"{num_batches:>9,}  {1000 * redraw_s:>6.2f}  {redraw_s / seconds[0]:>5.2f}")


if __name__ == "__main__":
    main()
