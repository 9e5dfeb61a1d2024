"""Exercises for a class: checks that say what is right, what is wrong, and give hints.

Each `check_*` runs a student's code and returns a `Verdict`: a card in a notebook, text in a
terminal. It raises no error of that code, has no side effects and discards what the code prints.
An endless loop that prints nothing must be interrupted.
"""

from mnist_widgets.exercises.checks.answer import check_answer
from mnist_widgets.exercises.checks.callback import check_callback
from mnist_widgets.exercises.checks.clinic import check_clinic
from mnist_widgets.exercises.checks.confident_mistakes import check_confident_mistakes
from mnist_widgets.exercises.checks.confusion_matrix import check_confusion_matrix
from mnist_widgets.exercises.checks.loss_choice import check_loss_choice
from mnist_widgets.exercises.checks.network import check_network
from mnist_widgets.exercises.checks.predict_probabilities import check_predict_probabilities
from mnist_widgets.exercises.checks.run import check_run
from mnist_widgets.exercises.checks.scores import check_scores
from mnist_widgets.exercises.checks.train_step import check_train_step
from mnist_widgets.exercises.checks.trainer import check_trainer
from mnist_widgets.exercises.marks import award, once_solved
from mnist_widgets.exercises.mistakes import start_over
from mnist_widgets.exercises.verdict import Detail, Verdict

__all__ = [
    "Detail",
    "Verdict",
    "award",
    "check_answer",
    "check_callback",
    "check_clinic",
    "check_confident_mistakes",
    "check_confusion_matrix",
    "check_loss_choice",
    "check_network",
    "check_predict_probabilities",
    "check_run",
    "check_scores",
    "check_train_step",
    "check_trainer",
    "once_solved",
    "start_over",
]
