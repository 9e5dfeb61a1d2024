"""The picture of the network in the settings panel."""

from __future__ import annotations

from ipywidgets import HTML

from mnist_widgets.rendering.networks.picture import draw_network
from mnist_widgets.runs.run_config import RunConfig


class NetworkPicture(HTML):
    """Boxes for the layers of a network.

    Args:
        num_classes: the number of scores.
    """

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        super().__init__()

    def show(self, config: RunConfig) -> None:
        """Draw the network of some settings."""
        self.value = draw_network(config, self._num_classes).html
