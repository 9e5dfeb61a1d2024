"""What can be found out about a training run without asking whoever ran it.

What is asked of a run is left to `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.data import DataLoader, Dataset

from mnist_widgets.data import DigitSet, load_bundled_digits, load_mnist, to_inputs
from mnist_widgets.devices import device_of
from mnist_widgets.digit_set import Batches
from mnist_widgets.evaluation import evaluating
from mnist_widgets.logbook import fingerprint

_IMAGES_FOR_A_LOOK = 1000


@dataclass(frozen=True)
class KnownData:
    """A data set that the check can load itself, and the accuracy asked for on it."""

    load: Callable[[], tuple[DigitSet, DigitSet]]
    min_accuracy: float


KNOWN_DATA = {
    "MNIST": KnownData(lambda: load_mnist(download=False), 0.97),
    "UCI digits": KnownData(load_bundled_digits, 0.955),
}


def find_digit_sets(source: object) -> Iterator[DigitSet]:
    """Find the sets behind batches: `DigitSet.batches`, a `DataLoader`, subsets and joined sets.

    A data set or loader of a student's own is looked through for those that it keeps.
    """
    if isinstance(source, DigitSet):
        yield source
        return
    for name, part in getattr(source, "__dict__", {}).items():
        if name == "dataset" or isinstance(part, (Batches, DataLoader, Dataset)):
            yield from find_digit_sets(part)
    for part in getattr(source, "datasets", ()):
        yield from find_digit_sets(part)


def count_seen(test_set: DigitSet, digit_sets: Iterable[DigitSet], samples: set[int]) -> int:
    """Return how many test images were certainly trained with.

    Args:
        test_set: the images that should not have been.
        digit_sets: what the batches say that they come from.
        samples: fingerprints of some of the inputs that were in them.
    """
    declared = rows_of(test_set) & set().union(*map(rows_of, digit_sets))
    sampled = samples & set(map(fingerprint, to_inputs(test_set.images)))
    return max(len(declared), len(sampled))


def rows_of(digit_set: DigitSet) -> set[bytes]:
    """Return each image of a set as its bytes."""
    return set(map(bytes, digit_set.images.flatten(1).numpy()))


def share_right(scores: Tensor, labels: Tensor) -> float:
    """Return the share of rows whose highest score stands where the label says, 0 to 1."""
    return (scores.argmax(1) == labels).float().mean().item()


def look_back(model: nn.Module, weights: Mapping[str, Tensor], test_set: DigitSet) -> float:
    """Return the share of test images that the network read with earlier weights."""
    device = device_of(model)
    inputs = to_inputs(test_set.images[:_IMAGES_FOR_A_LOOK]).to(device)
    there = {name: weight.to(device) for name, weight in weights.items()}
    with evaluating(model):
        scores = functional_call(model, there, (inputs,)).cpu()
    return share_right(scores, test_set.labels[:_IMAGES_FOR_A_LOOK])
