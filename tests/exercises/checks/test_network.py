"""`check_network`: what students build, and the verdicts."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from mnist_widgets import SimpleNet
from mnist_widgets.exercises import check_network


class Net(nn.Module):
    """The two layers; each class below uses them in another way."""

    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.linear1 = nn.Linear(input_dim, 512)
        self.linear2 = nn.Linear(512, num_classes)


class WithoutFlatten(Net):
    def forward(self, images):
        return self.linear2(torch.relu(self.linear1(images)))


class FlattensRowsOnly(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.linear1 = nn.Linear(28, 512)
        self.linear2 = nn.Linear(512, num_classes)

    def forward(self, images):
        return self.linear2(torch.relu(self.linear1(images)))


class FlattensTheBatch(Net):
    def forward(self, images):
        return self.linear2(torch.relu(self.linear1(images.flatten())))


class WithoutRelu(Net):
    def forward(self, images):
        hidden = self.linear1(images.flatten(1))
        return self.linear2(hidden)


class WithSoftmax(Net):
    def forward(self, images):
        hidden = torch.relu(self.linear1(images.flatten(1)))
        return torch.softmax(self.linear2(hidden), dim=1)


class WithSoftmaxOverImages(Net):
    def forward(self, images):
        hidden = torch.relu(self.linear1(images.flatten(1)))
        return torch.softmax(self.linear2(hidden), dim=0)


class WithLogSoftmax(Net):
    def forward(self, images):
        hidden = torch.relu(self.linear1(images.flatten(1)))
        return nn.functional.log_softmax(self.linear2(hidden), dim=1)


class WithReluAtTheEnd(Net):
    def forward(self, images):
        hidden = torch.relu(self.linear1(images.flatten(1)))
        return torch.relu(self.linear2(hidden))


class WithSigmoidAtTheEnd(Net):
    def forward(self, images):
        hidden = torch.relu(self.linear1(images.flatten(1)))
        return torch.sigmoid(self.linear2(hidden))


class WithTanh(Net):
    def forward(self, images):
        return self.linear2(torch.tanh(self.linear1(images.flatten(1))))


def build_with(activation):
    """Return a network with another activation than ReLU."""

    class WithAnotherActivation(Net):
        def forward(self, images):
            return self.linear2(activation(self.linear1(images.flatten(1))))

    return WithAnotherActivation


class AddsTheHiddenUnits(Net):
    def forward(self, images):
        hidden = torch.relu(self.linear1(images.flatten(1)))
        return self.linear2(hidden + hidden.mean())


class WithoutReturn(Net):
    def forward(self, images):
        hidden = torch.relu(self.linear1(images.flatten(1)))
        self.linear2(hidden)


class ReturnsTwoThings(Net):
    def forward(self, images):
        hidden = torch.relu(self.linear1(images.flatten(1)))
        return hidden, self.linear2(hidden)


class MisspeltForward(Net):
    def foward(self, images):
        return self.linear2(torch.relu(self.linear1(images.flatten(1))))


class WithoutSuper(nn.Module):
    def __init__(self, input_dim, num_classes):
        self.linear1 = nn.Linear(input_dim, 512)
        self.linear2 = nn.Linear(512, num_classes)


class NoModule:
    def __init__(self, input_dim, num_classes):
        self.linear1 = nn.Linear(input_dim, 512)


class LayersInAList(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.layers = [nn.Linear(input_dim, 512), nn.Linear(512, num_classes)]

    def forward(self, images):
        return self.layers[1](torch.relu(self.layers[0](images.flatten(1))))


class SecondLayerInAList(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.linear1 = nn.Linear(input_dim, 512)
        self.others = [nn.Linear(512, num_classes)]

    def forward(self, images):
        return self.others[0](torch.relu(self.linear1(images.flatten(1))))


class FirstLayerInForward(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.input_dim = input_dim
        self.linear2 = nn.Linear(512, num_classes)

    def forward(self, images):
        linear1 = nn.Linear(self.input_dim, 512)
        return self.linear2(torch.relu(linear1(images.flatten(1))))


class HardCoded(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.linear1 = nn.Linear(784, 512)
        self.linear2 = nn.Linear(512, 10)

    def forward(self, images):
        return self.linear2(torch.relu(self.linear1(images.flatten(1))))


class SwappedSizes(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.linear1 = nn.Linear(512, input_dim)
        self.linear2 = nn.Linear(512, num_classes)

    def forward(self, images):
        return self.linear2(torch.relu(self.linear1(images.flatten(1))))


class WithATypo(Net):
    def forward(self, images):
        return self.linear2(torch.relu(self.liner1(images.flatten(1))))


class Unsolved(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        raise NotImplementedError


class HalfSolved(Net):
    def forward(self, images):
        raise NotImplementedError


class WithSoftmaxInTraining(Net):
    def forward(self, images):
        scores = self.linear2(torch.relu(self.linear1(images.flatten(1))))
        return scores.softmax(dim=1) if self.training else scores


class WithWeightsInOtherSizes(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(512, input_dim + 1) / 28)
        self.linear = nn.Linear(512, num_classes)

    def forward(self, images):
        sums = images.flatten(1) @ self.weights[:, 1:].T + self.weights[:, 0]
        return self.linear(sums.relu())


def build_single_layer(input_dim, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_dim, num_classes))


def build_three_layers(input_dim, num_classes):
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(input_dim, 512), nn.ReLU()),
        *(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, num_classes)),
    )


def build_hidden(num_units):
    return lambda input_dim, num_classes: SimpleNet(input_dim, num_classes, hidden_units=num_units)


def build_without_bias(input_dim, num_classes):
    layers = nn.Linear(input_dim, 512, bias=False), nn.ReLU(), nn.Linear(512, num_classes)
    return nn.Sequential(nn.Flatten(), *layers)


def build_one_class_too_many(input_dim, num_classes):
    return SimpleNet(input_dim, num_classes + 1)


def build_nothing(input_dim, num_classes):
    SimpleNet(input_dim, num_classes)


def build_a_class(input_dim, num_classes):
    return SimpleNet


WRONG = [
    (WithoutFlatten, "forgot_flatten"),
    (FlattensRowsOnly, "forgot_flatten"),
    (FlattensTheBatch, "flattens_the_batch"),
    (WithoutRelu, "no_relu"),
    (WithSoftmax, "softmax_in_network"),
    (WithSoftmaxOverImages, "softmax_over_images"),
    (WithLogSoftmax, "log_softmax_in_network"),
    (WithReluAtTheEnd, "relu_at_the_end"),
    (WithSigmoidAtTheEnd, "sigmoid_at_the_end"),
    (WithSoftmaxInTraining, "softmax_in_network"),
    (WithWeightsInOtherSizes, "wrong_size"),
    (WithTanh, "other_activation"),
    (build_with(nn.Sigmoid()), "other_activation"),
    (build_with(nn.GELU()), "other_activation"),
    (build_with(nn.LeakyReLU()), "other_activation"),
    (build_with(nn.ELU()), "other_activation"),
    (build_with(nn.SiLU()), "other_activation"),
    (AddsTheHiddenUnits, "other_function"),
    (WithoutReturn, "forward_returns_none"),
    (ReturnsTwoThings, "not_a_tensor"),
    (MisspeltForward, "no_forward"),
    (WithoutSuper, "forgot_super"),
    (NoModule, "not_a_network"),
    (LayersInAList, "layers_not_registered"),
    (SecondLayerInAList, "layers_not_registered"),
    (FirstLayerInForward, "layers_not_registered"),
    (HardCoded, "hard_coded_sizes"),
    (SwappedSizes, "raises"),
    (WithATypo, "raises"),
    (Unsolved, "unsolved"),
    (HalfSolved, "unsolved"),
    (build_single_layer, "too_few_layers"),
    (build_three_layers, "too_many_layers"),
    (build_hidden(128), "other_hidden_size"),
    (build_without_bias, "wrong_size"),
    (build_one_class_too_many, "wrong_shape"),
    (build_nothing, "returns_none"),
    (build_a_class, "not_a_network"),
]


@pytest.mark.parametrize(("build", "mistake"), WRONG)
def test_each_mistake_is_recognized(build, mistake):
    verdict = check_network(build)
    assert verdict.mistake == mistake
    assert not verdict.passed


def test_a_network_in_place_of_its_class_is_recognized():
    assert check_network(SimpleNet(28 * 28, 10)).mistake == "network_given"


class WithViews(Net):
    def forward(self, images):
        hidden = self.linear1(images.view(len(images), -1)).clamp(min=0)
        return self.linear2(hidden)


class WithWeightsOfItsOwn(nn.Module):
    def __init__(self, input_dim, num_classes):
        super().__init__()
        self.weight1 = nn.Parameter(torch.randn(input_dim, 512) / 28)
        self.bias1 = nn.Parameter(torch.zeros(512))
        self.weight2 = nn.Parameter(torch.randn(512, num_classes) / 22)
        self.bias2 = nn.Parameter(torch.zeros(num_classes))

    def forward(self, images):
        hidden = (images.flatten(1) @ self.weight1 + self.bias1).relu()
        return hidden @ self.weight2 + self.bias2


class WithBiasesInRows(WithWeightsOfItsOwn):
    def __init__(self, input_dim, num_classes):
        super().__init__(input_dim, num_classes)
        self.bias1 = nn.Parameter(torch.zeros(1, 512))
        self.bias2 = nn.Parameter(torch.zeros(1, num_classes))


class WithOneWeightTransposed(WithWeightsOfItsOwn):
    def __init__(self, input_dim, num_classes):
        super().__init__(input_dim, num_classes)
        self.weight2 = nn.Parameter(torch.randn(num_classes, 512) / 22)

    def forward(self, images):
        hidden = (images.flatten(1) @ self.weight1 + self.bias1).relu()
        return hidden @ self.weight2.T + self.bias2


class BeginsWithZeros(WithViews):
    def __init__(self, input_dim, num_classes):
        super().__init__(input_dim, num_classes)
        nn.init.zeros_(self.linear2.weight)
        nn.init.zeros_(self.linear2.bias)


class WithDoubles(Net):
    def __init__(self, input_dim, num_classes):
        super().__init__(input_dim, num_classes)
        self.double()

    def forward(self, images):
        return self.linear2(torch.relu(self.linear1(images.flatten(1).double())))


def build_in_sequence(input_dim, num_classes):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(input_dim, 512), nn.ReLU(), nn.Linear(512, num_classes)
    )


def build_with_dropout(input_dim, num_classes):
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(input_dim, 512), nn.ReLU(), nn.Dropout(0.2)),
        nn.Linear(512, num_classes),
    )


RIGHT = [
    *(SimpleNet, WithViews, WithWeightsOfItsOwn, build_in_sequence, build_with_dropout),
    *(WithBiasesInRows, WithOneWeightTransposed, BeginsWithZeros, WithDoubles),
]


@pytest.mark.parametrize("build", RIGHT)
def test_right_answers_pass_however_they_are_written(build):
    verdict = check_network(build)
    assert verdict.passed, verdict


@pytest.mark.parametrize("num_units", [10, 128, 513, 784, 1024])
def test_another_number_of_hidden_units_is_named(num_units):
    verdict = check_network(build_hidden(num_units))
    assert verdict.mistake == "other_hidden_size"
    assert f"The hidden layer has {num_units} units" in verdict.hint
    num_found = 785 * num_units + 10 * num_units + 10
    assert f"expected 407,050 parameters, found {num_found:,}" in verdict.hint


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (WithoutFlatten, "images of shape (5, 1, 28, 28) do not fit the first layer"),
        (FlattensRowsOnly, "expected scores of shape (5, 10), found (5, 1, 28, 10)"),
        (FlattensTheBatch, "1 image gives 10 scores, but 5 images raise an error"),
        (build_one_class_too_many, "(5, 11) instead of (5, 10)"),
        (ReturnsTwoThings, "expected a tensor of scores, found"),
        (LayersInAList, "expected 407,050 parameters, found 0"),
        (SecondLayerInAList, "expected 407,050 parameters, found 401,920"),
        (build_single_layer, "expected 407,050 parameters, found 7,850"),
        (build_three_layers, "There are 3 layers with weights instead of two"),
        (build_without_bias, "expected 407,050 parameters, found 406,538"),
        (WithWeightsInOtherSizes, "found (512, 785), (10, 512), (10,)"),
        (WithSoftmaxInTraining, "are between 0.0"),
        (HardCoded, "build(12, 3) returned a network that does not accept 12 numbers"),
    ],
)
def test_the_hint_names_what_was_found(build, words):
    assert words in check_network(build).hint


@pytest.mark.parametrize(
    ("build", "least", "most"),
    [(WithSoftmax, 0, 1), (WithLogSoftmax, -10, 0), (WithSigmoidAtTheEnd, 0, 1)],
)
def test_the_hint_names_the_range_of_the_scores(build, least, most):
    low, high = map(float, re.findall(r"-?\d+\.\d{3}", check_network(build).hint))
    assert least <= low < high <= most


def test_an_error_is_shown_with_its_line():
    assert "self.liner1(images.flatten(1))" in check_network(WithATypo).hint
