"""The panels: each a widget to show in a notebook, each good for one thing."""

from mnist_widgets.widgets import colab
from mnist_widgets.widgets.confusion_chart import ConfusionChart
from mnist_widgets.widgets.dashboard import Dashboard, dashboard
from mnist_widgets.widgets.hyperparameter_panel import HyperparameterPanel
from mnist_widgets.widgets.image_gallery import ImageGallery
from mnist_widgets.widgets.loss_chart import LossChart
from mnist_widgets.widgets.probability_chart import ProbabilityChart
from mnist_widgets.widgets.run_table import RunTable
from mnist_widgets.widgets.training_panel import TrainingPanel

colab.prepare()

__all__ = [
    "ConfusionChart",
    "Dashboard",
    "HyperparameterPanel",
    "ImageGallery",
    "LossChart",
    "ProbabilityChart",
    "RunTable",
    "TrainingPanel",
    "dashboard",
]
