"""Judges a training run by what the training itself kept, and by the network that came of it.

The words of its hints are in hints/run.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mnist_widgets.data import DataError
from mnist_widgets.evaluation import predict_probabilities
from mnist_widgets.exercises.evidence import (
    KNOWN_DATA,
    count_seen,
    find_digit_sets,
    look_back,
    share_right,
)
from mnist_widgets.exercises.examination import examine
from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.trying import describe
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.history import History
from mnist_widgets.logbook import Logbook, are_equal, copy_weights
from mnist_widgets.session import TrainingSession
from mnist_widgets.training import Trainer

Result = TypeVar("Result")

_MOST_BEFORE_TRAINING = 0.5  # a fresh network reads about 10 %, by luck perhaps 30 %


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
    | asked for                                           | 97 %           | 95.5 %         |
    | tutorial's settings: Adam 0.001, batches of 512     | 94.0 to 94.5 % | 65 to 84 %     |
    | the lesson's on the bundled digits: batches of 32   |                | 92.8 to 95.3 % |
    | small batches, learning rate rising and falling     | 97.7 to 97.9 % | 95.8 to 96.9 % |
    | strided CNN with batch normalization                | 98.3 to 99.0 % | 97.2 to 98.6 % |

    The least and the most of seeds 0 to 4 on MNIST and of 0 to 19 on the bundled digits, measured
    by `benchmarks/exercise_targets.py`, which names the settings. A lucky run of merely smaller
    batches with larger steps may pass as well: 3 of 5 on MNIST, 15 of 20 on the bundled digits.

    The evidence is the trainer's `logbook`, which counts what is really trained, and the network
    itself, which the check asks for its answers to a test set that it loads anew. So it sees

    - a history that was typed or replaced: it must agree with the logbook;
    - more epochs, whether by several runs or by batches that go through the images repeatedly:
      the images are counted;
    - a network that was trained before, or elsewhere afterwards: it must have begun unable to
      read, and still have the weights with which the run ended;
    - training beside the training: a callback, an evaluator or a cell between two runs that
      changes the weights, other than back to those of the beginning or of the end of an epoch;
    - test images among those trained with: it looks through the sets behind the batches, and at an
      image of every fourth batch itself;
    - parameters hidden from the network but known to the optimizer: they count.

    It cannot see everything, since a student's code runs in the same process as the check: a
    `train_step` of one's own may train a batch several times, look at other images, or keep
    knowledge in buffers and plain attributes instead of parameters; batches may hold test images
    that were altered; a data set may be changed in place after the training; and whoever writes to
    the logbook's private parts, or replaces functions of the package, can fake anything. For grades
    that matter, read the code as well.

    Args:
        run: the trainer, or the session that steers it.
        max_parameters: how many numbers may be trained.
        max_epochs: how often each training image may be seen, on average.
        min_accuracy: share of the test images to be read rightly, 0 to 1; by default that of the
            table.
        data_name: `"MNIST"` or `"UCI digits"`; by default that which the training batches come
            from. Needed for batches in which no `DigitSet` can be found, such as a list of them.
            Inputs are expected as a `DigitSet` gives them: (N, 1, 28, 28) in [0, 1]; other
            preparation belongs into the network.

    Returns:
        The verdict; nothing the student's code does is raised.
    """
    trial = _Trial(run, max_parameters, max_epochs, min_accuracy, data_name)
    return examine(
        "check_run",
        read_hints("run"),
        {
            "A training run that has ended": trial.judge_run,
            "Trained on images that the check knows": trial.judge_data,
            f"At most {max_parameters:,} parameters": trial.judge_parameters,
            f"At most {max_epochs} epochs": trial.judge_epochs,
            "The history is the one that the training wrote": trial.judge_history,
            "The network learnt in this run, and nowhere else": trial.judge_weights,
            "It reads test images that it has not seen": trial.judge_accuracy,
        },
    )


class _Trial:
    def __init__(
        self,
        run: object,
        max_parameters: int,
        max_epochs: int,
        min_accuracy: float | None,
        data_name: str | None,
    ) -> None:
        self._run = run
        self._max_parameters = max_parameters
        self._max_epochs = max_epochs
        self._min_accuracy = min_accuracy
        self._data_name = data_name

    def judge_run(self) -> str:
        run = self._run
        if run is None or run is Ellipsis:
            raise Mistake("unsolved", "there is no run to look at yet")
        if not isinstance(run, (Trainer, TrainingSession)):
            found = f"expected a Trainer or a TrainingSession, found {describe(run)}"
            raise Mistake("not_a_run", found)
        self._trainer = run if isinstance(run, Trainer) else run.trainer
        if self._trainer.is_running or getattr(run, "state", "") == "running":
            raise Mistake("not_ended", "the training has not ended yet")
        self._logbook: Logbook = self._trainer.logbook
        found = f"{self._logbook.num_batches:,} batches were trained"
        if not self._logbook.num_batches:
            raise Mistake("never_trained", found)
        return found

    def judge_data(self) -> str:
        found_sets = [list(find_digit_sets(source)) for source in self._logbook.sources]
        digit_sets = [digit_set for sets in found_sets for digit_set in sets]
        names = {self._data_name} if self._data_name else {found.name for found in digit_sets}
        words = " and ".join(sorted(names)) or "images of unknown origin"
        found = f"expected {' or '.join(KNOWN_DATA)}, found {words}"
        if len(names) != 1 or not names <= set(KNOWN_DATA):
            raise Mistake("unknown_data", found)
        if not (self._data_name or all(found_sets)):
            raise Mistake("unknown_data", f"{found} and images of unknown origin")
        self._name = names.pop()
        try:
            train_set, self._test_set = KNOWN_DATA[self._name].load()
        except DataError as error:
            raise Mistake("no_test_set", f"{self._name}: {error.reason}") from error
        self._num_train_images = len(train_set)
        num_seen = count_seen(self._test_set, digit_sets, self._logbook.samples)
        num_images = len(self._test_set)
        if num_seen:
            found = f"{self._name}; at least {num_seen:,} of its {num_images:,} test images"
            raise Mistake("trained_on_test_images", f"{found} among them", num_seen=num_seen)
        return f"{self._name}; none of its {num_images:,} test images found among them"

    def judge_parameters(self) -> str:
        trained = [p for group in self._trainer.optimizer.param_groups for p in group["params"]]
        parameters = {id(p): p.numel() for p in (*self._trainer.model.parameters(), *trained)}
        num_parameters = sum(parameters.values())
        found = f"found {num_parameters:,}"
        if num_parameters > self._max_parameters:
            raise Mistake("too_many_parameters", found, most=f"{self._max_parameters:,}")
        return found

    def judge_epochs(self) -> str:
        num_seen, num_images = self._logbook.num_inputs, self._num_train_images
        num_epochs = max(num_seen / num_images, self._logbook.num_epochs)
        found = f"found {num_epochs:.4g}: {num_seen:,} images seen, {num_images:,} in the set"
        if num_epochs > self._max_epochs:
            raise Mistake("too_many_epochs", found, most=self._max_epochs)
        return found

    def judge_history(self) -> str:
        logbook, history = self._logbook, self._trainer.history
        if not isinstance(history, History):
            raise Mistake("history_changed", f"expected a History, found {describe(history)}")
        expected = (logbook.num_batches, logbook.num_epochs, logbook.num_epochs)
        kept = (len(history.batch_losses), history.num_epochs, len(history.get("train", ())))
        found = (
            f"{expected[0]:,} batches and {expected[1]} epochs were trained, the history tells of "
            f"{kept[0]:,} and {kept[2]}"
        )
        if kept != expected:
            raise Mistake("history_changed", found)
        return found

    def judge_weights(self) -> str:
        first, last = self._logbook.first_weights, self._logbook.last_weights
        if first is None or last is None:
            raise Mistake("never_trained", "no weights were kept")
        if not are_equal(last, self._between_batches(lambda: copy_weights(self._trainer.model))):
            raise Mistake("changed_elsewhere", "the weights are not those of the end of the run")
        num_changes = self._logbook.num_foreign_changes
        if num_changes:
            times = "once" if num_changes == 1 else f"{num_changes:,} times"
            found = f"the weights were changed {times} by something else than the training step"
            raise Mistake("changed_between_batches", found)
        if are_equal(first, last):
            raise Mistake("learnt_nothing", "the weights are those of before the run")
        share = self._between_batches(lambda: look_back(self._trainer.model, first, self._test_set))
        found = f"before the run it read {share:.1%} of the test images, expected below 50 %"
        if share > _MOST_BEFORE_TRAINING:
            raise Mistake("trained_before", found)
        return found

    def judge_accuracy(self) -> str:
        needed = self._min_accuracy
        if needed is None:
            needed = KNOWN_DATA[self._name].min_accuracy
        model, test_set = self._trainer.model, self._test_set
        probabilities = self._between_batches(lambda: predict_probabilities(model, test_set.images))
        share = share_right(probabilities, test_set.labels)
        found = f"expected at least {needed:.2%} of the {self._name} test images, found {share:.2%}"
        if share < needed:
            raise Mistake("too_inaccurate", found)
        return found

    def _between_batches(self, job: Callable[[], Result]) -> Result:
        """Run what reads the network while no batch is trained."""
        run = self._run
        if isinstance(run, TrainingSession) and run.can("reset"):  # it is not closed
            return run.between_batches(job).result()
        return job()
