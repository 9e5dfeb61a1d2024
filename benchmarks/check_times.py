"""Measure how long each check takes for a correct answer.

A student waits for the check, so it should take less than 2 s on the bundled digits. Each check
runs once to warm up and then `--rounds` times; the result is the median.

    python benchmarks/check_times.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

from mnist_widgets import (
    EarlyStopping,
    RunConfig,
    SimpleNet,
    accuracy,
    confusion_matrix,
    exercises,
    load_bundled_digits,
    predict_probabilities,
    train_step,
    trainer,
)
from mnist_widgets.exercises import Verdict
from mnist_widgets.runs.clinic.cases import CASES
from mnist_widgets.training.evaluation.measures import precision, recall

# isort: split
import torch  # after the kit, which sets the number of its threads
from torch import nn

BOUND_S = 2.0


def find_mistakes(probabilities: torch.Tensor, labels: torch.Tensor, count: int = 5) -> object:
    """Answer exercise 5."""
    confidences, predicted = probabilities.max(dim=1)
    mistakes = (predicted != labels).nonzero().flatten()
    return mistakes[confidences[mistakes].argsort(descending=True)[:count]]


def make_checks() -> dict[str, Callable[[], Verdict]]:
    """Return each check with a correct answer, by name. The run is trained in advance."""
    train_set, test_set = load_bundled_digits()
    run = RunConfig(hidden_units=62, batch_size=32).build(train_set, test_set)
    run.fit(5)
    answers: dict[Callable[..., Verdict], tuple[object, ...]] = {
        exercises.check_network: (SimpleNet,),
        exercises.check_train_step: (train_step,),
        exercises.check_trainer: (trainer,),
        exercises.check_loss_choice: ("many classes", nn.Identity(), nn.CrossEntropyLoss()),
        exercises.check_predict_probabilities: (predict_probabilities,),
        exercises.check_confident_mistakes: (find_mistakes,),
        exercises.check_confusion_matrix: (confusion_matrix,),
        exercises.check_scores: (
            lambda counts: (accuracy(counts), recall(counts), precision(counts)),
        ),
        exercises.check_callback: (lambda patience: EarlyStopping(patience=patience),),
        exercises.check_clinic: (9, "dead units", CASES[9].evidence),
    }
    checks = {check.__name__: partial(check, *answer) for check, answer in answers.items()}
    return checks | {"check_run": partial(exercises.check_run, run, min_accuracy=0.8)}


def measure(check: Callable[[], Verdict], rounds: int) -> float:
    """Return the median seconds of a check that passes."""
    verdict = check()
    if not verdict:
        raise RuntimeError(f"a correct answer did not pass:\n{verdict}")
    durations_s = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        check()
        durations_s.append(time.perf_counter() - began_s)
    return statistics.median(durations_s)


def main() -> None:
    """Print one line for each check."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for name, check in make_checks().items():
        duration_s = measure(check, rounds)
        verdict = "ok" if duration_s < BOUND_S else "TOO SLOW"
        print(f"{name:28} {duration_s:6.2f} s   (bound {BOUND_S:.0f} s)  {verdict}")


if __name__ == "__main__":
    main()
