"""The networks have the tutorial's layers and give raw scores."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mnist_widgets.training.models import SimpleNet, unwrap


def test_simple_net_has_the_tutorials_layers():
    model = SimpleNet(28 * 28, 10)
    assert isinstance(model.flatten, nn.Flatten)
    assert (model.linear1.in_features, model.linear1.out_features) == (784, 512)
    assert (model.linear2.in_features, model.linear2.out_features) == (512, 10)
    assert list(dict(model.named_children())) == ["flatten", "linear1", "linear2"]


def test_simple_net_starts_as_the_tutorials_network_does():
    torch.manual_seed(3)
    expected = [nn.Linear(784, 512).weight, nn.Linear(512, 10).weight]
    torch.manual_seed(3)
    model = SimpleNet(784, 10)
    assert torch.equal(model.linear1.weight, expected[0])
    assert torch.equal(model.linear2.weight, expected[1])


def test_simple_net_gives_raw_scores_after_a_relu():
    model = SimpleNet(784, 10)
    images = torch.rand(5, 1, 28, 28)
    hidden = model.linear1(images.reshape(5, 784)).clamp(min=0)
    torch.testing.assert_close(model(images), model.linear2(hidden))
    assert model(images).shape == (5, 10)


def test_the_hidden_layer_can_be_another_size():
    model = SimpleNet(4, 3, hidden_units=7)
    assert model.linear1.out_features == model.linear2.in_features == 7


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"input_dim": 0, "num_classes": 10}, "input_dim is 0"),
        ({"input_dim": 784, "num_classes": -1}, "num_classes is -1"),
        ({"input_dim": 784, "num_classes": 10, "hidden_units": 0}, "hidden_units is 0"),
    ],
)
def test_a_size_below_one_is_named(sizes, message):
    with pytest.raises(ValueError, match=message):
        SimpleNet(**sizes)


def test_a_model_is_found_inside_its_wrappers():
    def compiled(model):
        return torch.compile(model, backend="eager")

    model = SimpleNet(4, 3)
    for wrapped in (
        model,
        compiled(model),
        nn.DataParallel(model),
        nn.DataParallel(compiled(model)),
        compiled(nn.DataParallel(model)),
    ):
        assert unwrap(wrapped) is model
