"""Measure how fast a training in a real browser reacts to its buttons, in milliseconds.

It opens the first lesson in JupyterLab and Chromium, starts the training, and presses Start, Pause,
Step, Pause (Resume) and Stop again and again. The page measures the time from the click until the
panel shows the new state or the new batch.

    python benchmarks/button_latency.py [--rounds 40]
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
from playwright.sync_api import Page
from real_lab import ROOT, describe_load, open_lab

LESSON = ROOT / "notebooks" / "01_training_a_neural_network.ipynb"
CLICK_AND_WAIT = """([button, words, rest]) => new Promise((resolve, reject) => {
    const panel = document.querySelector('.mw-training-panel');
    const has = pattern => new RegExp(pattern).test(panel.textContent);
    const shows = () => has(words) && !has(rest);
    const began = performance.now();
    const observer = new MutationObserver(() => {
        if (!shows()) return;
        observer.disconnect();
        resolve(performance.now() - began);
    });
    observer.observe(panel, {subtree: true, childList: true, characterData: true});
    setTimeout(() => reject(new Error('no answer to ' + button)), 10_000);
    panel.querySelector('.mw-' + button).click();
})"""


def press(page: Page, button: str, words: str, rest: str = "^$") -> float:
    """Click and return the milliseconds until the panel shows `words` and not `rest`."""
    return page.evaluate(CLICK_AND_WAIT, [button, words, rest])


def measure(page: Page, num_rounds: int) -> dict[str, list[float]]:
    """Press every button `num_rounds` times and return its times in milliseconds."""
    times: dict[str, list[float]] = {"start": [], "pause": [], "step": [], "resume": [], "stop": []}
    for _ in range(num_rounds):
        times["start"].append(press(page, "start", "Training"))
        page.wait_for_timeout(300)
        times["pause"].append(press(page, "pause", "Paused"))
        batch = page.locator(".mw-status").inner_text().split(" · ")[1]
        times["step"].append(press(page, "step", "Paused", f"{batch} ·"))
        times["resume"].append(press(page, "pause", "Training"))
        page.wait_for_timeout(300)
        times["stop"].append(press(page, "stop", "Stopped"))
    return times


def main() -> None:
    """Print for each button the median, the 95th percentile and the longest time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    num_rounds = parser.parse_args().rounds
    print(describe_load())
    with open_lab(LESSON) as lab:
        lab.page.get_by_label("Epochs").fill("9999")
        lab.page.get_by_label("Epochs").press("Enter")
        times = measure(lab.page, num_rounds)
        batch_s = float(lab.run_cell("print(session.throughput.seconds_per_batch)"))
    print(f"One batch: {1000 * batch_s:.0f} ms. From click to changed panel, {num_rounds} times:")
    for button, values in times.items():
        p95 = np.percentile(values, 95)
        print(
            f"{button:7} median {statistics.median(values):4.0f} ms   p95 {p95:4.0f} ms   "
            f"longest {max(values):4.0f} ms"
        )


if __name__ == "__main__":
    main()
