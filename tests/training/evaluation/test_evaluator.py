"""How well a network does: figures that hold for images, not for batches, and no trace left."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist_widgets import (
    Evaluator,
    SimpleNet,
    accuracy,
    confusion_matrix,
    load_bundled_digits,
    predict_probabilities,
)
from mnist_widgets.training.evaluation.predictions import Predictions


@pytest.fixture
def uneven_batches():
    """Batches of 8, 3 and 1 random 4-number inputs in three classes."""
    return [(torch.randn(n, 4), torch.randint(0, 3, (n,))) for n in (8, 3, 1)]


@pytest.fixture
def partly_frozen_model():
    """A model in training mode but for its batch normalization."""
    model = nn.Sequential(
        nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Sequential(nn.Dropout(0.5), nn.Linear(16, 3))
    )
    model[1].eval()
    return model


@pytest.fixture
def images():
    """Twelve random stored images."""
    return torch.randint(0, 256, (12, 28, 28), dtype=torch.uint8)


def modes_of(model) -> list[bool]:
    return [module.training for module in model.modules()]


def test_confusion_counts_have_the_true_label_first():
    counts = confusion_matrix(torch.tensor([0, 0, 0, 1, 2]), torch.tensor([1, 1, 0, 1, 0]), 3)
    assert counts.tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 0]]
    assert counts.dtype == torch.int64


def test_confusion_counts_are_of_ten_classes_by_default():
    counts = confusion_matrix(torch.tensor([9]), torch.tensor([0]))
    assert counts.shape == (10, 10)
    assert counts[9, 0] == counts.sum() == 1


def test_confusion_counts_of_nothing_are_all_zero():
    nothing = torch.tensor([], dtype=torch.int64)
    assert confusion_matrix(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]


def test_narrow_integers_are_counted_as_they_are():
    labels = torch.tensor([25, 3], dtype=torch.uint8)  # 25 * 26 + 25 is too much for a uint8
    counts = confusion_matrix(labels, labels, 26)
    assert counts[25, 25] == counts[3, 3] == 1


@pytest.mark.parametrize("wrong", [-1, 3, 10])
@pytest.mark.parametrize("role", ["true", "predicted"])
def test_a_label_outside_the_classes_is_named(wrong, role):
    labels = {"true": torch.tensor([0, 1, 2]), "predicted": torch.tensor([0, 1, 2])}
    labels[role][1] = wrong
    with pytest.raises(
        ValueError, match=f"Label {wrong} at position 1 of the {role} labels .* 0 to 2"
    ):
        confusion_matrix(labels["true"], labels["predicted"], 3)


@pytest.mark.parametrize("shape", [(2,), (3, 1), ()])
def test_labels_that_do_not_pair_are_refused_with_their_shapes(shape):
    predicted = torch.zeros(shape, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"equal length, not of shapes \(3,\) and \("):
        confusion_matrix(torch.tensor([0, 1, 2]), predicted)


def test_accuracy_is_the_share_on_the_diagonal():
    assert accuracy(torch.tensor([[3, 1], [2, 4]])) == pytest.approx(0.7)
    assert accuracy(torch.eye(3, dtype=torch.int64)) == 1
    assert type(accuracy(torch.eye(3, dtype=torch.int64))) is float


def test_accuracy_of_nothing_is_an_error_not_a_number():
    with pytest.raises(ValueError, match="nothing has been counted"):
        accuracy(torch.zeros(3, 3, dtype=torch.int64))


def test_metrics_are_means_over_images_not_over_batches(uneven_batches):
    model = nn.Linear(4, 3)
    metrics = Evaluator(uneven_batches).evaluate(model, "cpu")
    outputs = [model(inputs) for inputs, _ in uneven_batches]
    labels = torch.cat([labels for _, labels in uneven_batches])
    is_right = torch.cat(outputs).argmax(1) == labels
    assert metrics == {
        "test_loss": pytest.approx(functional.cross_entropy(torch.cat(outputs), labels).item()),
        "test_accuracy": pytest.approx(is_right.sum().item() / 12),
    }
    assert all(type(value) is float for value in metrics.values())
    batch_means = [
        functional.cross_entropy(output, labels).item()
        for output, (_, labels) in zip(outputs, uneven_batches, strict=True)
    ]
    assert metrics["test_loss"] != pytest.approx(sum(batch_means) / 3, rel=1e-3)


def test_the_evaluator_takes_another_loss_function(uneven_batches):
    evaluator = Evaluator(uneven_batches, loss_fn=lambda _, labels: labels.float().mean())
    labels = torch.cat([labels for _, labels in uneven_batches])
    expected = labels.float().mean().item()
    assert evaluator.evaluate(nn.Linear(4, 3), "cpu")["test_loss"] == pytest.approx(expected)


def test_the_model_gets_the_batches_of_an_evaluator_as_they_are(images):
    class ScalesItsPixels(SimpleNet):
        def forward(self, pixels):
            return super().forward(pixels.float() / 255)

    model, labels = ScalesItsPixels(28 * 28, 10), torch.arange(12) % 10
    outputs = model(images)
    metrics = Evaluator([(images, labels)]).evaluate(model, "cpu")
    expected = functional.cross_entropy(outputs, labels).item()
    assert metrics["test_loss"] == pytest.approx(expected)
    is_right = outputs.argmax(1) == labels
    assert metrics["test_accuracy"] == pytest.approx(is_right.float().mean().item())


def test_the_last_confusion_counts_are_kept(uneven_batches):
    model, evaluator = nn.Linear(4, 3), Evaluator(uneven_batches)
    assert evaluator.confusion is None
    labels = torch.cat([labels for _, labels in uneven_batches])
    for _ in range(2):
        metrics = evaluator.evaluate(model, "cpu")
        predicted = torch.cat([model(inputs).argmax(1) for inputs, _ in uneven_batches])
        assert torch.equal(evaluator.confusion, confusion_matrix(labels, predicted, 3))
        assert accuracy(evaluator.confusion) == metrics["test_accuracy"]
        nn.init.normal_(model.weight)


def test_the_kept_confusion_counts_can_be_changed_in_place(uneven_batches):
    evaluator = Evaluator(uneven_batches)
    evaluator.evaluate(nn.Linear(4, 3), "cpu")
    evaluator.confusion.fill_diagonal_(0)
    assert evaluator.confusion.trace() == 0


def test_evaluating_without_a_batch_is_an_error():
    with pytest.raises(ValueError, match="no batch"):
        Evaluator([]).evaluate(nn.Linear(4, 3), "cpu")


def test_evaluating_leaves_each_module_in_its_mode(partly_frozen_model, uneven_batches):
    model = partly_frozen_model
    before = modes_of(model)
    assert len(set(before)) == 2
    mean_before = model[1].running_mean.clone()
    first, second = (Evaluator(uneven_batches).evaluate(model, "cpu") for _ in range(2))
    assert first == second  # there was no dropout
    assert modes_of(model) == before
    assert torch.equal(model[1].running_mean, mean_before)


def test_evaluating_leaves_a_model_in_evaluation_mode_there(partly_frozen_model, uneven_batches):
    model = partly_frozen_model.eval()
    Evaluator(uneven_batches).evaluate(model, "cpu")
    assert not any(modes_of(model))


def test_an_evaluation_that_fails_leaves_modes_and_counts(partly_frozen_model, uneven_batches):
    model, evaluator = partly_frozen_model, Evaluator(uneven_batches)
    evaluator.evaluate(model, "cpu")
    before, counts = modes_of(model), evaluator.confusion.clone()
    evaluator.batches = [*uneven_batches, (torch.randn(2, 5), torch.tensor([0, 1]))]
    with pytest.raises(ValueError, match="in_features=5"):
        evaluator.evaluate(model, "cpu")
    assert modes_of(model) == before
    assert torch.equal(evaluator.confusion, counts)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_evaluating_leaves_the_gradients_alone(uneven_batches):
    model = nn.Linear(4, 3)
    model(uneven_batches[0][0]).sum().backward()
    before = model.weight.grad.clone()
    Evaluator(uneven_batches).evaluate(model, "cpu")
    assert torch.equal(model.weight.grad, before)


def test_probabilities_are_the_softmax_of_the_scores(images):
    model = SimpleNet(28 * 28, 10)
    probabilities = predict_probabilities(model, images)
    assert probabilities.shape == (12, 10)
    assert probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities.sum(1), torch.ones(12))
    expected = model(images.unsqueeze(1) / 255).softmax(1).detach()
    torch.testing.assert_close(probabilities, expected)


def test_log_probabilities_give_the_same_probabilities(images):
    model = SimpleNet(28 * 28, 10)
    log_model = nn.Sequential(model, nn.LogSoftmax(dim=1))
    torch.testing.assert_close(
        predict_probabilities(log_model, images), predict_probabilities(model, images)
    )


def test_stored_images_and_inputs_give_the_same_probabilities(images):
    model = SimpleNet(28 * 28, 10)
    inputs = (images / 255).unsqueeze(1)
    torch.testing.assert_close(
        predict_probabilities(model, inputs), predict_probabilities(model, images)
    )


def test_a_single_stored_image_gives_one_row(images):
    model = SimpleNet(28 * 28, 10)
    probabilities = predict_probabilities(model, images[3])
    assert probabilities.shape == (1, 10)
    torch.testing.assert_close(probabilities, predict_probabilities(model, images)[3:4])


def test_no_image_gives_no_row(images):
    assert predict_probabilities(SimpleNet(28 * 28, 10), images[:0]).shape == (0, 10)


def test_many_images_go_through_the_model_in_portions_and_in_order():
    images = torch.randint(0, 256, (2500, 28, 28), dtype=torch.uint8)
    model = SimpleNet(28 * 28, 10, hidden_units=8)
    portions = []
    model.register_forward_hook(lambda *call: portions.append(len(call[-1])))
    probabilities = predict_probabilities(model, images)
    assert len(portions) > 1
    assert sum(portions) == 2500
    assert max(portions) <= 1024
    expected = model((images / 255).unsqueeze(1)).softmax(1).detach()
    torch.testing.assert_close(probabilities, expected)


def test_predicting_switches_dropout_off_and_restores_each_mode(partly_frozen_model):
    before = modes_of(partly_frozen_model)
    inputs = torch.randn(20, 4)
    first, second = (predict_probabilities(partly_frozen_model, inputs) for _ in range(2))
    assert torch.equal(first, second)
    assert modes_of(partly_frozen_model) == before


def test_predicting_on_inputs_that_do_not_fit_restores_each_mode(partly_frozen_model):
    before = modes_of(partly_frozen_model)
    with pytest.raises(ValueError, match=r"\(20, 5\)|\(16, 5\)"):
        predict_probabilities(partly_frozen_model, torch.randn(20, 5))
    assert modes_of(partly_frozen_model) == before
    assert torch.is_grad_enabled()


def test_stored_images_of_another_shape_are_named():
    images = torch.zeros(3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"\(3, 8, 8\)"):
        predict_probabilities(SimpleNet(28 * 28, 10), images)


def test_predicting_computes_no_gradients(images):
    model = SimpleNet(28 * 28, 10)
    assert not predict_probabilities(model, images).requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_probabilities_are_ordinary_tensors(images):
    probabilities = predict_probabilities(SimpleNet(28 * 28, 10), images)
    assert not probabilities.is_inference()
    weights = torch.ones(10, requires_grad=True)
    (probabilities * weights).sum().backward()  # autograd keeps no inference tensors
    torch.testing.assert_close(weights.grad, probabilities.sum(0))
    probabilities.clamp_(min=0.5)


def test_a_model_without_parameters_predicts_too():
    torch.testing.assert_close(
        predict_probabilities(nn.Flatten(), torch.zeros(2, 1, 1, 4)), torch.full((2, 4), 0.25)
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
def test_predictions_and_counts_of_a_model_elsewhere_come_back_to_the_cpu(images):
    model = SimpleNet(28 * 28, 10)
    expected = predict_probabilities(model, images)
    model.cuda()
    torch.testing.assert_close(predict_probabilities(model, images), expected)
    evaluator = Evaluator([((images / 255).unsqueeze(1), torch.arange(12) % 10)])
    evaluator.evaluate(model, torch.device("cuda"))
    assert evaluator.confusion.device.type == "cpu"
    assert next(model.parameters()).is_cuda


@pytest.mark.parametrize("shape", [(28, 28), (3, 28, 28), (3, 1, 28, 28)])
def test_predicting_takes_float_images_with_and_without_a_channel(shape):
    images = torch.rand(shape)
    probabilities = predict_probabilities(SimpleNet(28 * 28, 10), images)
    assert probabilities.shape == (images.numel() // 784, 10)


def test_predicting_keeps_the_channels_and_the_rows_of_other_inputs():
    for shape in ((5, 3, 28, 28), (5, 2, 1, 28, 28), (5, 28)):
        inputs = torch.rand(shape)
        model = nn.Sequential(nn.Flatten(), nn.Linear(inputs[0].numel(), 10))
        expected = model(inputs).softmax(1).detach()
        torch.testing.assert_close(predict_probabilities(model, inputs), expected)


def test_predicting_converts_images_to_the_type_of_the_models_parameters(images):
    inputs = (images / 255).unsqueeze(1)
    for dtype, other in ((torch.float64, torch.float32), (torch.bfloat16, torch.float64)):
        model = SimpleNet(28 * 28, 10).to(dtype)
        expected = model(inputs.to(dtype)).detach().float().softmax(1)
        for given in (images, images.numpy(), inputs, inputs.to(dtype), inputs.to(other)):
            probabilities = predict_probabilities(model, given)
            torch.testing.assert_close(probabilities, expected, rtol=0.02, atol=0.002)
    labels = torch.arange(12) % 10
    model = SimpleNet(28 * 28, 10).double()
    model.temperature = nn.Parameter(torch.tensor(1.0))  # a number of another type
    assert predict_probabilities(model, inputs).shape == (len(inputs), 10)
    metrics = Evaluator([(inputs.double(), labels)]).evaluate(model, "cpu")
    expected = functional.cross_entropy(model(inputs.double()), labels).item()
    assert metrics["test_loss"] == pytest.approx(expected)


def test_a_model_of_rows_predicts_after_flatten(images):
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.memory, self.scores = nn.LSTM(28, 8, batch_first=True), nn.Linear(8, 10)

        def forward(self, rows):
            return self.scores(self.memory(rows)[0][:, -1])

    model = Rows()
    expected = model(images / 255).softmax(1).detach()
    flattened = nn.Sequential(nn.Flatten(1, 2), model)
    torch.testing.assert_close(predict_probabilities(flattened, images), expected)


def test_predicting_names_the_type_of_images_that_it_cannot_take():
    with pytest.raises(ValueError, match=r"torch\.int64.*torch\.uint8"):
        predict_probabilities(SimpleNet(28 * 28, 10), torch.zeros(1, 28, 28, dtype=torch.int64))


def test_the_predictions_of_training_images_are_kept_beside_those_of_test_images():
    train_set, test_set = load_bundled_digits()
    seen = train_set.sample(50)
    model = SimpleNet(28 * 28, 10)
    evaluator = Evaluator(test_set.batches(64), train_batches=seen.batches(20))
    assert evaluator.train_predictions is None
    metrics = evaluator.evaluate(model, "cpu")
    expected = Predictions(predict_probabilities(model, seen.images), seen.labels)
    torch.testing.assert_close(evaluator.train_predictions.probabilities, expected.probabilities)
    assert evaluator.train_predictions.labels.equal(seen.labels)
    assert metrics["train_accuracy"] == int(expected.are_right.sum()) / 50
    assert len(evaluator.predictions.labels) == len(test_set)


def test_predicting_names_the_shape_of_images_that_it_cannot_take(images):
    for flat in (images[0].flatten() / 255, images[0].flatten(), torch.tensor(0.5)):
        with pytest.raises(ValueError, match=rf"\({len(flat) if flat.dim() else ''}.*28, 28\)"):
            predict_probabilities(SimpleNet(28 * 28, 10), flat)
