"""The clinic: a lab with a sick training, and two lists to say what is wrong with it."""

from __future__ import annotations

import torch

from mnist_widgets.data.loaders import load_bundled_digits
from mnist_widgets.runs.clinic.cases import CASES, EPOCHS, HEALTHY
from mnist_widgets.session.states import ActionRefusedError
from mnist_widgets.training.health.monitor import HealthMonitor
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.widgets.dashboard import Dashboard, replace_open_lab
from mnist_widgets.widgets.panels.diagnosis_panel import DiagnosisPanel
from mnist_widgets.widgets.trainer_factory import TrainerFactory

_MONITORED = (
    "Press Reset and train again: now the training panel names what a health monitor finds. "
    "It does not know every fault."
)


def clinic(
    number: int, *, wait: bool | None = None, device: torch.device | str | None = None
) -> Clinic:
    """Return a lab with a sick training of the bundled digits, or with a healthy one to compare.

    A notebook has one lab at a time: a new one closes the one before.

    Example:
        ```python
        clinic(7)
        ```

    Args:
        number: of the training, 1 to 12; 0 for the healthy one.
        wait: as for `TrainingSession`.
        device: what to compute on, such as `"cpu"`; by default the best of this machine.

    Raises:
        ValueError: if there is no training of this number; the lab before then stays open.
    """
    if type(number) is not int or number not in (0, *CASES):
        raise ValueError(
            f"number is {number!r}; the clinic has trainings 1 to {len(CASES)}, and 0 is healthy."
        )
    recipe = CASES[number].recipe if number else HEALTHY
    trainer = recipe.build(device=device)
    lab = Clinic(number, trainer, wait=wait)
    replace_open_lab(lab)
    return lab


class Clinic(Dashboard):
    """The panels of a lab without settings and runs, and below them a `DiagnosisPanel`.

    Args:
        number: of the training; 0 has no `DiagnosisPanel`.
        trainer: of this training.
        wait: as for `TrainingSession`.

    Attributes:
        number: of the training.
    """

    def __init__(self, number: int, trainer: Trainer, *, wait: bool | None = None) -> None:
        # a recorded step and the training images would give some of the faults away
        hide = ["runs", "steps", "training_images"]
        super().__init__(
            _OneTraining(trainer), epochs=EPOCHS, hide=hide, wait=wait, monitor=not number
        )
        self.number = number
        if number:
            panel = DiagnosisPanel(number, self._attach_monitor)
            panel.show_heading(f"What is wrong with number {number}?")
            self.panels["diagnosis"] = panel
            self.children = (*self.children, panel)

    def _attach_monitor(self) -> str:
        """Let a health monitor watch the training: now it gives nothing away.

        Returns:
            What to add to the verdict; nothing for a closed session, which trains no more.
        """
        try:
            self.session.between_batches(self._add_monitor)
        except ActionRefusedError:
            return ""
        return _MONITORED

    def _add_monitor(self) -> None:
        callbacks = self.session.trainer.callbacks
        if not any(isinstance(callback, HealthMonitor) for callback in callbacks):
            callbacks.append(HealthMonitor())


class _OneTraining(TrainerFactory):
    """Gives the lab a trainer that was built before."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        super().__init__(
            *load_bundled_digits(),
            model=trainer.model,
            loss_fn=trainer.loss_fn,
            optimizer=trainer.optimizer,
        )

    def make_trainer(self) -> Trainer:
        """Return the trainer."""
        return self._trainer
