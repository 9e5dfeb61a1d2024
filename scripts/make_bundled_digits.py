"""Make mnist_widgets/data/datasets/uci_digits.npz from scikit-learn's copy of the UCI digits.

Run `python scripts/make_bundled_digits.py`; it gives the same file each time. The file keeps the
8x8 images, which takes only 47 kB; `mnist_widgets.load_bundled_digits` resizes them to 28x28.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

NUM_TEST_IMAGES = 359
SEED = 0
BUNDLED_FILE = Path(__file__).parents[1] / "mnist_widgets" / "data" / "datasets" / "uci_digits.npz"


def split_digits() -> dict[str, np.ndarray]:
    """Split the 1,797 digits, stratified by label, into 1,438 for training and 359 for testing.

    Returns:
        `train_images` and `test_images`, uint8 (N, 8, 8) in 0..16; `train_labels` and
        `test_labels`, uint8 (N,) in 0..9.
    """
    digits = load_digits()
    train_images, test_images, train_labels, test_labels = train_test_split(
        digits.images.astype(np.uint8),
        digits.target.astype(np.uint8),
        test_size=NUM_TEST_IMAGES,
        stratify=digits.target,
        random_state=SEED,
    )
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }


if __name__ == "__main__":
    np.savez_compressed(BUNDLED_FILE, **split_digits())
    print(f"{BUNDLED_FILE}: {BUNDLED_FILE.stat().st_size:,} bytes")
