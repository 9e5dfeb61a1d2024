"""Measure the figures of lesson 4: its example drawings, with stages off, other pens, augmentation.

The network and its training are those of the lesson, on MNIST or on the bundled digits. The
drawings are the 90 of the lesson, whose cells are run here, and the 270 of the tests: three ways of
writing each digit, three sizes, three places (`tests/handwriting_samples.py`).

    python benchmarks/lesson_drawings.py [--seeds 5] [--epochs 3 30] [--bundled]

It needs MNIST in `MNIST_WIDGETS_DATA` or the cache, except with `--bundled`.

Measured in November 2026 on the bundled digits, five seeds, three epochs, mean (lowest to highest):

                         plain, 90            plain, 270           augmented, 90
scaled and centered      78.0 % (70 to 90)    74.0 % (70 to 77)    82.0 % (80 to 90)
scaled only             100.0 % (100 to 100)  80.0 % (77 to 83)    94.0 % (80 to 100)
centered only            42.7 % (37 to 47)    38.4 % (38 to 40)    56.0 % (53 to 57)
neither                  24.0 % (21 to 27)    26.0 % (25 to 28)    37.3 % (34 to 42)

The same on MNIST:

                         plain, 90            augmented, 90
scaled and centered     100.0 % (100 to 100)  100.0 % (100 to 100)
scaled only              80.0 % (80 to 80)    100.0 % (100 to 100)
centered only            52.7 % (50 to 57)    72.0 % (70 to 73)
neither                  28.0 % (22 to 30)    47.8 % (46 to 50)

With other pens, scaled and centered, 90 drawings, plain:

        MNIST                 bundled digits
0.4    100.0 % (100 to 100)  82.0 % (80 to 90)
0.9    100.0 % (100 to 100)  84.0 % (70 to 90)
1.3    100.0 % (100 to 100)  78.0 % (70 to 90)
1.8    100.0 % (100 to 100)  76.0 % (70 to 80)
2.5     92.0 % (90 to 100)   66.0 % (50 to 80)
3.5     40.0 % (30 to 60)    42.0 % (30 to 50)

With the pen of 3.5 and MNIST each 1, 2, 3 and 5 was read as an 8. Without centering the mistakes
with MNIST were a 1 or a 7 (90 drawings), most of them a 7 or a 9 (270 drawings). With the bundled
digits, scaled and centered, each 9 of the 90 was read as a 4. With MNIST the letter H is a 4 with
98.4 to 99.3 % (98.4 % with seed 0). `drawings.py` measures the other drawings with MNIST.

On the bundled test images, plain and augmented: after 3 epochs 94.3 % (93.6 to 95.0) and 92.3 %
(91.1 to 93.0), after 30 epochs 97.4 % (97.2 to 97.8) and 98.1 % (97.8 to 98.3). MNIST's are in
`augmentation.py`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from mnist_widgets import (
    DigitSet,
    Drawing,
    Predictions,
    SimpleNet,
    Trainer,
    accuracy,
    augment,
    load_bundled_digits,
    load_mnist,
    predict_probabilities,
)
from mnist_widgets.data.handwriting.drawing_sets import to_digit_set

# isort: split
import torch  # after the kit, which sets the number of its threads
from torch import Tensor, nn

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from handwriting_samples import draw_samples

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LESSON = NOTEBOOKS / "04_your_own_handwriting.ipynb"
CELLS = ("ten_digits = ", "examples = []")
LETTER_H = [[(2, 1), (2, 9)], [(8, 1), (8, 9)], [(2, 5), (8, 5)]]  # in tenths of the pad
PENS = (0.4, 0.9, 1.3, 1.8, 2.5, 3.5)


def run_cells() -> dict[str, Any]:
    """Run the lesson's cells that make its drawings, and return their names."""
    names: dict[str, Any] = {"Drawing": Drawing}
    cells = ["".join(cell["source"]) for cell in json.loads(LESSON.read_text("utf-8"))["cells"]]
    for beginning in CELLS:
        (source,) = (cell for cell in cells if cell.startswith(beginning))
        exec(source, names)  # noqa: S102 - the lesson's own code
    return names


def make_sets(test_set: DigitSet) -> dict[str, DigitSet]:
    """Return the sets to evaluate on, by name."""
    kinds = {"examples": run_cells()["examples"], "samples": zip(*draw_samples(), strict=True)}
    sets = {"test images": test_set}
    for kind, each in kinds.items():
        pairs = list(each)
        for scale, center in ((True, True), (True, False), (False, True), (False, False)):
            stages = f"{'scaled' if scale else '-'}, {'centered' if center else '-'}"
            sets[f"{kind}, {stages}"] = to_digit_set(pairs, kind, scale=scale, center=center)
        for pen in PENS:
            sets[f"{kind}, pen {pen}"] = to_digit_set(pairs, kind, pen=pen)
    return sets


def main() -> None:
    """Train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, nargs="+", default=[3])
    parser.add_argument("--bundled", action="store_true")
    options = parser.parse_args()
    train_set, test_set = load_bundled_digits() if options.bundled else load_mnist()
    batch_size = 32 if options.bundled else 512
    sets = make_sets(test_set)
    found: dict[tuple[int, str, str], list[float]] = {}
    mistakes: dict[tuple[int, str, str], Counter[str]] = {}
    letter = Drawing([[(x / 10, y / 10) for x, y in stroke] for stroke in LETTER_H]).to_image()
    for seed in range(options.seeds):
        for kind, transform in (("plain", None), ("augmented", augment)):
            torch.manual_seed(seed)
            model = SimpleNet(28 * 28, 10)
            optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
            batches = train_set.batches(batch_size, shuffle=True, transform=transform)
            trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, batches)
            num_trained = 0
            for num_epochs in sorted(options.epochs):
                trainer.fit(num_epochs - num_trained)
                num_trained = num_epochs
                for name, digit_set in sets.items():
                    key = num_epochs, kind, name
                    confusion = count_confusions(model, digit_set)
                    found.setdefault(key, []).append(100 * float(accuracy(confusion)))
                    mistakes.setdefault(key, Counter()).update(name_mistakes(confusion))
                probabilities = predict_probabilities(model, letter)[0]
                digit, share = int(probabilities.argmax()), float(probabilities.max())
                print(f"{num_epochs} {kind}, seed {seed}: the H is a {digit} with {share:.1%}")
    for (num_epochs, kind, name), shares in sorted(found.items()):
        spread = f"({min(shares):.1f} to {max(shares):.1f})"
        print(f"{num_epochs:3} {kind:10} {name:32} {statistics.mean(shares):6.1f} % {spread}")
        if "test" not in name and (common := mistakes[num_epochs, kind, name].most_common(4)):
            print(" " * 15 + ", ".join(f"{words}: {count}" for words, count in common))


def count_confusions(model: nn.Module, digit_set: DigitSet) -> Tensor:
    """Return how the network reads a set: counts[true, predicted]."""
    probabilities = predict_probabilities(model, digit_set.images)
    return Predictions(probabilities, digit_set.labels).confusion


def name_mistakes(counts: Tensor) -> dict[str, int]:
    """Return how often each digit was read as another one."""
    pairs = [(true, read) for true in range(10) for read in range(10) if true != read]
    counted = {f"{true} as {read}": int(counts[true, read]) for true, read in pairs}
    return {words: count for words, count in counted.items() if count}


if __name__ == "__main__":
    main()
