"""The picture of a network agrees with the network that a run trains."""

from __future__ import annotations

import re

import torch

from mnist_widgets import RunConfig, load_bundled_digits
from mnist_widgets.rendering.networks.layers import list_layers
from mnist_widgets.rendering.networks.picture import caption_network, draw_network
from mnist_widgets.runs.choices import NETWORKS

CONFIGS = [
    RunConfig(network=network, hidden_units=20, dropout=dropout)
    for network in NETWORKS
    for dropout in (0, 0.5)
]


def test_the_numbers_of_parameters_are_those_of_the_network_that_a_run_trains():
    data = load_bundled_digits()
    for config in CONFIGS:
        model = config.build(*data, device="cpu").model
        num_parameters = sum(parameter.numel() for parameter in model.parameters())
        view = draw_network(config)
        said = re.findall(r"([\d,]+) parameters", view.text)
        total, *parts = (int(number.replace(",", "")) for number in said)
        assert total == sum(parts) == num_parameters, config
        assert f"{num_parameters:,} parameters" in caption_network(config)
        assert re.findall(r"([\d,]+) parameters", view.html) == said


def test_the_layers_lead_from_the_image_to_the_scores_with_their_shapes():
    config = RunConfig(network="convolutional", hidden_units=20, dropout=0.5)
    model = config.build(*load_bundled_digits(), device="cpu").model.eval()
    layers = list_layers(model)
    shapes = [(1, 28, 28), (16, 14, 14), (32, 7, 7), (1568,), (20,), (10,)]
    assert [layer.shape for layer in layers] == shapes
    assert [layer.words for layer in layers][-2:] == ["Linear, ReLU, Dropout 0.5", "Linear"]


def test_a_relu_that_is_called_as_a_function_is_shown():
    assert "Linear, ReLU: 20 values" in draw_network(RunConfig(hidden_units=20)).text


def test_the_number_of_classes_is_that_of_the_data():
    assert "Linear: 3 scores" in draw_network(RunConfig(), num_classes=3).text


def test_drawing_uses_no_random_numbers():
    before = torch.get_rng_state()
    draw_network(RunConfig(hidden_units=33, dropout=0.25))
    assert torch.equal(torch.get_rng_state(), before)
