"""See and steer a neural network while it learns to read handwritten digits.

The panels live in `mnist_widgets.widgets` and load only when that is imported.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from mnist_widgets.system import threads

threads.prepare_threads()  # before torch loads: it reads the settings only once

from mnist_widgets.diagnosis.doctor import doctor

# Where torch, say, is missing or broken, the doctor must be there to say so.
_fault: Exception | None = None
try:
    from mnist_widgets.data.augmentation import augment
    from mnist_widgets.data.digit_set import DigitSet
    from mnist_widgets.data.downloads import DataError
    from mnist_widgets.data.handwriting.drawing import Drawing
    from mnist_widgets.data.handwriting.drawing_files import (
        load_drawings,
        read_drawings,
        save_drawings,
    )
    from mnist_widgets.data.handwriting.pictures import load_pictures
    from mnist_widgets.data.loaders import (
        load_bundled_digits,
        load_digits,
        load_fashion_mnist,
        load_kmnist,
        load_mnist,
    )
    from mnist_widgets.runs.run_config import RunConfig
    from mnist_widgets.session.session import TrainingSession
    from mnist_widgets.session.states import ActionRefusedError
    from mnist_widgets.training.callbacks import (
        Checkpoint,
        DivergenceGuard,
        EarlyStopping,
        LearningRateScheduler,
        ProgressBar,
    )
    from mnist_widgets.training.evaluation.evaluator import Evaluator, predict_probabilities
    from mnist_widgets.training.evaluation.measures import (
        accuracy,
        confusion_matrix,
        precision,
        recall,
    )
    from mnist_widgets.training.evaluation.predictions import Predictions
    from mnist_widgets.training.health.monitor import HealthMonitor
    from mnist_widgets.training.history import History
    from mnist_widgets.training.hooks import Callback
    from mnist_widgets.training.models import SimpleNet
    from mnist_widgets.training.recording.step_record import StepRecord
    from mnist_widgets.training.recording.step_recorder import record_step
    from mnist_widgets.training.reports import BatchReport, EpochReport
    from mnist_widgets.training.trainer import Trainer
    from mnist_widgets.training.training_step import train_step
    from mnist_widgets.training.tutorial import trainer

    threads.set_torch_threads()
except Exception as error:
    _fault = error

__version__ = version("mnist_widgets")
__all__ = [
    "ActionRefusedError",
    "BatchReport",
    "Callback",
    "Checkpoint",
    "DataError",
    "DigitSet",
    "DivergenceGuard",
    "Drawing",
    "EarlyStopping",
    "EpochReport",
    "Evaluator",
    "HealthMonitor",
    "History",
    "LearningRateScheduler",
    "Predictions",
    "ProgressBar",
    "RunConfig",
    "SimpleNet",
    "StepRecord",
    "Trainer",
    "TrainingSession",
    "accuracy",
    "augment",
    "confusion_matrix",
    "doctor",
    "load_bundled_digits",
    "load_digits",
    "load_drawings",
    "load_fashion_mnist",
    "load_kmnist",
    "load_mnist",
    "load_pictures",
    "precision",
    "predict_probabilities",
    "read_drawings",
    "recall",
    "record_step",
    "save_drawings",
    "train_step",
    "trainer",
]

if not TYPE_CHECKING:  # else any name would do for a type checker

    def __getattr__(name: str) -> object:
        """Say why a public name is not there.

        Raises:
            ImportError: if the package could not be loaded.
            AttributeError: if it has no such name.
        """
        if _fault is not None and name in __all__:
            raise ImportError(
                f"mnist_widgets cannot be loaded ({type(_fault).__name__}: {_fault}). "
                "mnist_widgets.doctor(), or mnist-widgets doctor in a terminal, says what to do.",
                name=__name__,
            ) from _fault
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
