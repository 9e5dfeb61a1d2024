"""Check a training run by the trainer's counters and settings and by the network itself.

The hints are in hints/run.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch.utils.data import DataLoader, Dataset

from mnist_widgets.data.digit_set import Batches, DigitSet
from mnist_widgets.data.downloads import DataError
from mnist_widgets.data.loaders import load_bundled_digits, load_mnist
from mnist_widgets.exercises.mistakes import Mistake, rule_out
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.evaluation.evaluator import predict_probabilities
from mnist_widgets.training.history import History
from mnist_widgets.training.trainer import Trainer

_NUM_CLASSES = 10
_MIN_FIRST_LOSS = 0.6  # times the loss of guessing; new networks start at 0.9 to 1.1 times
_KNOWN_DATA = {
    "MNIST": lambda: load_mnist(download=False),
    "UCI digits": load_bundled_digits,
}
_MIN_ACCURACIES = {"MNIST": 0.97, "UCI digits": 0.955}


def check_run(
    run: Trainer | TrainingSession,
    *,
    max_parameters: int = 50_000,
    max_epochs: int = 5,
    min_accuracy: float | None = None,
    data_name: str | None = None,
) -> Verdict:
    """Check that a run reached an accuracy on the test set with a small network in few epochs.

    | network of 62 hidden units or a CNN, 5 epochs       | MNIST          | bundled digits |
    |-----------------------------------------------------|----------------|----------------|
    | required accuracy                                   | 97 %           | 95.5 %         |
    | tutorial's settings: Adam 0.001, batches of 512     | 94.0 to 94.5 % | 65 to 84 %     |
    | settings of the lesson: batches of 32               |                | 92.8 to 95.3 % |
    | small batches, learning rate rising and falling     | 97.7 to 97.9 % | 95.8 to 96.9 % |
    | strided CNN with batch normalization                | 98.3 to 99.0 % | 97.2 to 98.6 % |

    The table shows the lowest and highest accuracies of several seeds: 0 to 4 on MNIST, 0 to 19 on
    the bundled digits. `benchmarks/exercise_targets.py` measures them and lists the settings.
    Smaller batches with a larger learning rate pass with some seeds: 3 of 5 on MNIST, 15 of 20 on
    the bundled digits.

    The check reads the trainer's counters, settings and history. It searches the data sets behind
    the training batches for test images, and measures the accuracy on a newly loaded test set. To
    detect a network that was trained before, it compares the loss of the first batch with the loss
    of guessing. It finds honest mistakes, not cheating: for important grades, read the code too.

    Args:
        run: the trainer, or the session that runs it.
        max_parameters: the number of trainable parameters allowed.
        max_epochs: how often each training image may be used, on average.
        min_accuracy: the required test accuracy, 0 to 1; by default the one in the table.
        data_name: `"MNIST"` or `"UCI digits"`; by default the name of the set behind the training
            batches. Needed for batches without a `DigitSet` behind them, such as a list.
            The network must accept images as a `DigitSet` gives them: (N, 1, 28, 28) in [0, 1].

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(run, max_parameters, max_epochs, min_accuracy, data_name)
    return run_check(
        "check_run",
        {
            "A training run that has ended": criteria.check_run,
            "Trained on a known data set, without its test images": criteria.check_data,
            f"At most {max_parameters:,} parameters": criteria.check_parameters,
            f"At most {max_epochs} epochs": criteria.check_epochs,
            "The history contains every batch and epoch": criteria.check_history,
            "The network was new at the start of the run": criteria.check_start,
            "It classifies the test images accurately": criteria.check_accuracy,
        },
    )


@dataclass
class _Criteria:
    run: object
    max_parameters: int
    max_epochs: int
    min_accuracy: float | None
    data_name: str | None

    def check_run(self) -> str:
        run = self.run
        if run is None or run is Ellipsis:
            raise Mistake("unsolved", "there is no run to check yet")
        if not isinstance(run, (Trainer, TrainingSession)):
            found = f"expected a Trainer or a TrainingSession, found {describe(run)}"
            raise Mistake("not_a_run", found)
        self._trainer = run if isinstance(run, Trainer) else run.trainer
        if self._trainer.is_running or getattr(run, "state", "") == "running":
            raise Mistake("not_ended", "the training has not ended yet")
        num_batches = self._trainer.num_batches_trained
        found = f"{num_batches:,} batches were trained"
        return rule_out(found, {"never_trained": not num_batches})

    def check_data(self) -> str:
        digit_sets = list(_find_digit_sets(self._trainer.train_batches, set()))
        names = {self.data_name} if self.data_name else {found.name for found in digit_sets}
        words = " and ".join(sorted(names)) or "unknown images"
        if len(names) != 1 or not names <= set(_KNOWN_DATA):
            raise Mistake("unknown_data", f"expected {' or '.join(_KNOWN_DATA)}, found {words}")
        self._name = names.pop()
        try:
            train_set, self._test_set = _KNOWN_DATA[self._name]()
        except DataError as error:
            raise Mistake("no_test_set", f"{self._name}: {error.reason}") from error
        self._num_train_images = len(train_set)
        test_images = _rows_of(self._test_set)
        num_seen = len(test_images & set().union(*map(_rows_of, digit_sets)))
        words = f"{num_seen:,}" if num_seen else "none"
        found = f"{self._name}; found {words} of its {len(self._test_set):,} test images"
        if not digit_sets:
            found = f"{self._name}; batches without a DigitSet cannot be searched for test images"
        return rule_out(found, {"trained_on_test_images": num_seen}, num_seen=num_seen)

    def check_parameters(self) -> str:
        trained = [p for group in self._trainer.optimizer.param_groups for p in group["params"]]
        parameters = {id(p): p.numel() for p in (*self._trainer.model.parameters(), *trained)}
        num_parameters, most = sum(parameters.values()), self.max_parameters
        mistakes = {"too_many_parameters": num_parameters > most}
        return rule_out(f"found {num_parameters:,}", mistakes, most=f"{most:,}")

    def check_epochs(self) -> str:
        num_used, num_images = self._trainer.num_images_trained, self._num_train_images
        num_epochs = max(num_used / num_images, self._trainer.num_epochs_trained)
        found = f"found {num_epochs:.4g}: {num_used:,} images used, {num_images:,} in the set"
        mistakes = {"too_many_epochs": num_epochs > self.max_epochs}
        return rule_out(found, mistakes, most=self.max_epochs)

    def check_history(self) -> str:
        history = self._trainer.history
        if not isinstance(history, History):
            raise Mistake("history_changed", f"expected a History, found {describe(history)}")
        num_batches = self._trainer.num_batches_trained
        num_epochs = self._trainer.num_epochs_trained
        kept = (len(history.batch_losses), history.num_epochs, len(history.get("train", ())))
        found = (
            f"{num_batches:,} batches and {num_epochs} epochs were trained, the history contains "
            f"{kept[0]:,} and {kept[2]}"
        )
        return rule_out(found, {"history_changed": kept != (num_batches, num_epochs, num_epochs)})

    def check_start(self) -> str:
        """Compare the first batch's loss with that of equal probabilities for all classes."""
        first_loss = self._trainer.history.batch_losses[0]
        guessing = self._compute_loss_of_guessing()
        found = f"the first batch has a loss of {first_loss:.3g}, guessing {guessing:.3g}"
        is_low = 0 < first_loss < _MIN_FIRST_LOSS * guessing  # false for NaN and negative losses
        return rule_out(found, {"trained_before": is_low})

    def check_accuracy(self) -> str:
        default = _MIN_ACCURACIES[self._name]
        needed = default if self.min_accuracy is None else self.min_accuracy
        run, test_set = self.run, self._test_set
        predict = partial(predict_probabilities, self._trainer.model, test_set.images)
        if isinstance(run, TrainingSession) and run.can("reset"):  # it is not closed
            probabilities = run.between_batches(predict).result()
        else:
            probabilities = predict()
        share = (probabilities.argmax(1) == test_set.labels).float().mean().item()
        found = f"expected at least {needed:.2%} of the {self._name} test images, found {share:.2%}"
        return rule_out(found, {"too_inaccurate": share < needed})

    def _compute_loss_of_guessing(self) -> float:
        """Return a batch's loss for equal probabilities; NaN if it cannot be computed.

        Equal log-probabilities are also equal scores, so they suit both usual kinds of loss.
        """
        trainer = self._trainer
        batch_size = max(1, trainer.num_images_trained // trainer.num_batches_trained)
        labels = torch.arange(batch_size) % _NUM_CLASSES
        scores = torch.full((batch_size, _NUM_CLASSES), -math.log(_NUM_CLASSES))
        try:
            return float(trainer.loss_fn(scores, labels))
        except Exception:  # a student's own training step may pass other values
            return math.nan


def _find_digit_sets(source: object, visited: set[int]) -> Iterator[DigitSet]:
    """Find the sets behind `DigitSet.batches`, a `DataLoader`, subsets and joined sets.

    In a data set or loader that a student wrote, it searches the attributes.
    """
    if id(source) in visited:
        return
    visited.add(id(source))
    if isinstance(source, DigitSet):
        yield source
        return
    for name, part in getattr(source, "__dict__", {}).items():
        if name == "dataset" or isinstance(part, (Batches, DataLoader, Dataset)):
            yield from _find_digit_sets(part, visited)
    for part in getattr(source, "datasets", ()):
        yield from _find_digit_sets(part, visited)


def _rows_of(digit_set: DigitSet) -> set[bytes]:
    """Return each image of a set as its bytes."""
    return set(map(bytes, digit_set.images.flatten(1).numpy()))
