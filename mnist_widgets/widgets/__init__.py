"""The panels: each a widget to show in a notebook, each good for one thing."""

from mnist_widgets.widgets import colab
from mnist_widgets.widgets.clinic import Clinic, clinic
from mnist_widgets.widgets.dashboard import Dashboard, dashboard
from mnist_widgets.widgets.panels.confusion_chart import ConfusionChart
from mnist_widgets.widgets.panels.diagnosis_panel import DiagnosisPanel
from mnist_widgets.widgets.panels.drawing_pad import DrawingPad
from mnist_widgets.widgets.panels.hyperparameter_panel import HyperparameterPanel
from mnist_widgets.widgets.panels.image_gallery import ImageGallery
from mnist_widgets.widgets.panels.loss_chart import LossChart
from mnist_widgets.widgets.panels.loss_explorer import LossExplorer
from mnist_widgets.widgets.panels.probability_chart import ProbabilityChart
from mnist_widgets.widgets.panels.row import Row
from mnist_widgets.widgets.panels.run_table import RunTable
from mnist_widgets.widgets.panels.step_explorer import StepExplorer
from mnist_widgets.widgets.panels.training_panel import TrainingPanel

colab.prepare()

__all__ = [
    "Clinic",
    "ConfusionChart",
    "Dashboard",
    "DiagnosisPanel",
    "DrawingPad",
    "HyperparameterPanel",
    "ImageGallery",
    "LossChart",
    "LossExplorer",
    "ProbabilityChart",
    "Row",
    "RunTable",
    "StepExplorer",
    "TrainingPanel",
    "clinic",
    "dashboard",
]
