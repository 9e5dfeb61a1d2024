"""The panels: each a widget to show in a notebook, each good for one thing."""

from mnist_widgets.widgets.loss_chart import LossChart
from mnist_widgets.widgets.probability_chart import ProbabilityChart
from mnist_widgets.widgets.training_panel import TrainingPanel

__all__ = ["LossChart", "ProbabilityChart", "TrainingPanel"]
