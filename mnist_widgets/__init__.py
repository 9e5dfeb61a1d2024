"""See and steer a neural network while it learns to read handwritten digits.

The panels live in `mnist_widgets.widgets` and load only when that is imported.
"""

from importlib.metadata import version

from mnist_widgets import runtime

runtime.prepare_threads()  # before torch loads: it reads the settings only once

from mnist_widgets.callbacks import (
    Checkpoint,
    DivergenceGuard,
    EarlyStopping,
    ProgressBar,
)
from mnist_widgets.data import (
    DataError,
    DigitSet,
    load_bundled_digits,
    load_digits,
    load_fashion_mnist,
    load_kmnist,
    load_mnist,
)
from mnist_widgets.diagnosis import doctor
from mnist_widgets.evaluation import (
    Evaluator,
    Predictions,
    accuracy,
    confusion_matrix,
    precision,
    predict_probabilities,
    recall,
)
from mnist_widgets.history import History
from mnist_widgets.models import SimpleNet
from mnist_widgets.reports import BatchReport, EpochReport
from mnist_widgets.run_config import RunConfig
from mnist_widgets.session import ActionRefusedError, TrainingSession
from mnist_widgets.training import Callback, Trainer, train_step
from mnist_widgets.tutorial import trainer

runtime.limit_torch_threads()

__version__ = version("mnist_widgets")
__all__ = [
    "ActionRefusedError",
    "BatchReport",
    "Callback",
    "Checkpoint",
    "DataError",
    "DigitSet",
    "DivergenceGuard",
    "EarlyStopping",
    "EpochReport",
    "Evaluator",
    "History",
    "Predictions",
    "ProgressBar",
    "RunConfig",
    "SimpleNet",
    "Trainer",
    "TrainingSession",
    "accuracy",
    "confusion_matrix",
    "doctor",
    "load_bundled_digits",
    "load_digits",
    "load_fashion_mnist",
    "load_kmnist",
    "load_mnist",
    "precision",
    "predict_probabilities",
    "recall",
    "train_step",
    "trainer",
]
