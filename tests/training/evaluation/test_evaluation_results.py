"""For all kinds of batches, an evaluation gives correct numbers or raises an error."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from mnist_widgets import (
    DigitSet,
    Evaluator,
    Predictions,
    SimpleNet,
    accuracy,
    confusion_matrix,
    precision,
    predict_probabilities,
    recall,
)
from mnist_widgets.data.tensors import to_counts

LABELS = torch.tensor([0, 1, 2, 2, 1, 0, 0, 0, 2, 1, 1, 0])


@pytest.fixture
def inputs():
    """Twelve random inputs of four numbers."""
    return torch.randn(12, 4)


@pytest.fixture
def model():
    return nn.Linear(4, 3)


def evaluate(model, inputs, targets, loss_fn, batch_size=5) -> dict[str, float]:
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=batch_size)
    return Evaluator(loader, loss_fn).evaluate(model, "cpu")


def share_right(model, inputs) -> float:
    return (model(inputs).argmax(1) == LABELS).float().mean().item()


def test_labels_in_a_column_are_counted_flat_and_reach_the_loss_as_they_are(model, inputs):
    seen = []

    def loss_fn(outputs, labels):
        seen.append(labels.shape[1:])
        return functional.cross_entropy(outputs, labels.flatten())

    metrics = evaluate(model, inputs, LABELS.unsqueeze(1), loss_fn)
    assert metrics["test_accuracy"] == pytest.approx(share_right(model, inputs))
    assert {*seen} == {(1,)}


def test_one_hot_and_soft_targets_count_as_their_likeliest_class(model, inputs):
    one_hot = functional.one_hot(LABELS, 3).float()
    for targets in (one_hot, 0.8 * one_hot + 0.2 / 3):
        for loss_fn in (nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss(), nn.MSELoss()):
            metrics = evaluate(model, inputs, targets, loss_fn)
            assert metrics["test_accuracy"] == pytest.approx(share_right(model, inputs))
            expected = loss_fn(model(inputs), targets).item()
            assert metrics["test_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_loss_sets_the_threshold_of_a_single_output(inputs):
    scores_model = nn.Linear(4, 1)
    targets = (torch.arange(12) % 3 == 0).float().unsqueeze(1)
    expected = ((scores_model(inputs) > 0) == targets).float().mean().item()
    for name, make, loss_fn in (
        ("scores", lambda: scores_model, nn.BCEWithLogitsLoss()),
        ("probabilities", lambda: nn.Sequential(scores_model, nn.Sigmoid()), nn.BCELoss()),
    ):
        model = make()
        evaluator = Evaluator([(inputs[:7], targets[:7]), (inputs[7:], targets[7:])], loss_fn)
        metrics = evaluator.evaluate(model, "cpu")
        assert metrics["test_accuracy"] == pytest.approx(expected), name
        assert metrics["test_loss"] == pytest.approx(loss_fn(model(inputs), targets).item()), name
        assert evaluator.predictions.probabilities.shape == (12, 2)
        flat = nn.Sequential(model, nn.Flatten(0))
        assert evaluate(flat, inputs, targets.flatten(), loss_fn) == pytest.approx(metrics), name


def test_labels_get_the_form_that_a_loss_of_single_numbers_needs(inputs):
    single, scores = nn.Linear(4, 1), nn.Linear(4, 3)
    shares = nn.Sequential(single, nn.Sigmoid())
    binary, one_hot = (LABELS > 0).long(), functional.one_hot(LABELS, 3).float()
    for name, model, labels, expected_targets, loss_fn in (
        ("BCE of scores", single, binary, binary[:, None].float(), nn.BCEWithLogitsLoss()),
        ("BCE", shares, binary, binary[:, None].float(), nn.BCELoss()),
        ("bool", single, LABELS > 0, binary[:, None].float(), nn.BCEWithLogitsLoss()),
        ("MSE of one output", single, binary, binary[:, None].float(), nn.MSELoss()),
        ("MSE", scores, LABELS, one_hot, nn.MSELoss()),
        ("a column", scores, LABELS[:, None], one_hot, functional.mse_loss),
        ("BCE of classes", scores, LABELS, one_hot, nn.BCEWithLogitsLoss()),
    ):
        metrics = evaluate(model, inputs, labels, loss_fn)
        outputs = model(inputs)
        expected = loss_fn(outputs, expected_targets).item()
        assert metrics["test_loss"] == pytest.approx(expected, rel=1e-5), name
        threshold = 0 if isinstance(loss_fn, nn.BCEWithLogitsLoss) else 0.5
        predicted = outputs.argmax(1) if outputs.shape[1] > 1 else outputs.flatten() > threshold
        is_right = predicted == labels.flatten()
        assert metrics["test_accuracy"] == pytest.approx(is_right.float().mean().item()), name


def test_other_numbers_of_outputs_than_classes_are_not_compared_with_labels():
    images = torch.zeros(4, 28, 28, dtype=torch.uint8)
    digits = DigitSet(images, torch.arange(4), range(10), "digits")
    evaluator = Evaluator(digits.batches(2), nn.MSELoss())
    with pytest.raises(ValueError, match=r"784 classes, .* 10 classes"):
        evaluator.evaluate(nn.Flatten(), "cpu")


def test_single_outputs_that_may_be_scores_or_probabilities_are_refused(inputs):
    class SigmoidInForward(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs).sigmoid()

    def bce(outputs, labels):
        return functional.binary_cross_entropy(outputs.flatten(), labels)

    labels = (LABELS == 0).float()
    model = SigmoidInForward(4, 1)
    with pytest.raises(ValueError, match=r"scores or probabilities.*nn\.BCELoss"):
        evaluate(model, inputs, labels, bce)
    for threshold, loss_fn in ((0.5, nn.BCELoss()), (0, nn.BCEWithLogitsLoss())):
        is_right = (model(inputs).flatten() > threshold) == (labels == 1)
        metrics = evaluate(model, inputs, labels, loss_fn)
        assert metrics["test_accuracy"] == pytest.approx(is_right.float().mean().item())
    with torch.no_grad():
        model.bias += 10  # all above 0.5: scores may be so by chance
    with pytest.warns(UserWarning, match="scores or probabilities"):
        evaluate(model, inputs, labels, bce)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model, loss_fn in (
            (SigmoidInForward(4, 1), nn.BCELoss()),
            (SigmoidInForward(4, 1), nn.MSELoss()),
            (nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()), lambda *_: torch.zeros(())),
        ):
            evaluate(model, inputs, labels, loss_fn)


def test_a_batch_of_the_evaluator_that_is_no_pair_is_named(model, inputs):
    for batch, words in (
        ((inputs, LABELS, LABELS), "evaluator's batches gave a tuple of 3 parts"),
        ({"image": inputs, "label": LABELS}, "dict with the keys 'image', 'label'"),
        (inputs, r"single tensor of shape \(12, 4\)"),
        (None, "gave a NoneType"),
    ):
        for batches in ([batch], DataLoader([batch], batch_size=None, collate_fn=lambda b: b)):
            with pytest.raises(TypeError, match=words):
                Evaluator(batches).evaluate(model, "cpu")


def test_batch_norm_without_running_statistics_never_meets_a_single_image():
    norm = nn.BatchNorm1d(4, track_running_stats=False)
    model = nn.Sequential(norm, nn.Linear(4, 3))
    for num_images in (2, 3, 17, 33, 65, 513):
        batch = (torch.randn(num_images, 4), torch.zeros(num_images, dtype=torch.int64))
        metrics = Evaluator([batch]).evaluate(model, "cpu")
        assert 0 <= metrics["test_accuracy"] <= 1


def test_the_loss_does_not_depend_on_how_the_batches_are_cut(inputs):
    weight = torch.tensor([1.0, 5.0, 0.2])
    scores, shares = nn.Linear(4, 3), nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())
    logs, single = nn.Sequential(scores, nn.LogSoftmax(dim=1)), nn.Linear(4, 1)
    some_ignored = torch.where(LABELS == 1, 7, LABELS)
    one_hot, binary = functional.one_hot(LABELS, 3).float(), (LABELS == 0).float().unsqueeze(1)
    cross_entropy = functional.cross_entropy
    for name, model, targets, loss_fn in (
        ("weights", scores, LABELS, nn.CrossEntropyLoss(weight)),
        ("ignored", scores, some_ignored, nn.CrossEntropyLoss(weight, ignore_index=7)),
        ("smoothed", scores, LABELS, nn.CrossEntropyLoss(weight, label_smoothing=0.1)),
        ("soft targets", scores, one_hot, nn.CrossEntropyLoss(weight)),
        ("NLL", logs, some_ignored, nn.NLLLoss(weight, ignore_index=7)),
        ("margins", scores, LABELS, nn.MultiMarginLoss(weight=weight)),
        ("a function", scores, LABELS, lambda out, labels: cross_entropy(out, labels, weight)),
        ("a partial", scores, some_ignored, partial(cross_entropy, ignore_index=7)),
        ("BCE", shares, one_hot, nn.BCELoss(weight)),
        ("BCE of scores", single, binary, nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0]))),
        ("no mean", scores, LABELS, lambda out, labels: cross_entropy(out, labels).sqrt()),
    ):
        expected = loss_fn(model(inputs), targets).item()
        for batch_size in (1, 5, 12):
            metrics = evaluate(model, inputs, targets, loss_fn, batch_size)
            assert metrics["test_loss"] == pytest.approx(expected, rel=1e-5), (name, batch_size)
            assert 0 <= metrics["test_accuracy"] <= 1, name


def test_a_summed_loss_is_divided_by_the_images_that_count(model, inputs):
    some_ignored = torch.where(LABELS == 1, -100, LABELS)
    expected = functional.cross_entropy(model(inputs), some_ignored).item()
    for loss_fn in (
        nn.CrossEntropyLoss(reduction="sum"),
        partial(functional.cross_entropy, reduction="sum"),
    ):
        for batch_size in (1, 5, 12):
            metrics = evaluate(model, inputs, some_ignored, loss_fn, batch_size)
            assert metrics["test_loss"] == pytest.approx(expected, rel=1e-5)


def test_ignored_labels_are_not_counted(model, inputs):
    some_ignored = torch.where(torch.arange(12) < 4, -100, LABELS)
    evaluator = Evaluator([(inputs, some_ignored)])
    metrics = evaluator.evaluate(model, "cpu")
    is_right = model(inputs).argmax(1) == LABELS
    assert metrics["test_accuracy"] == pytest.approx(is_right[4:].float().mean().item())
    assert torch.equal(evaluator.predictions.labels, LABELS[4:])
    assert evaluator.confusion.sum() == 8


class Returns(nn.Module):
    """A model that returns what a function makes of its inputs."""

    def __init__(self, make):
        super().__init__()
        self._make = make

    def forward(self, inputs):
        return self._make(inputs)


def test_outputs_without_a_correct_result_are_refused_with_their_shapes(model, inputs):
    for targets, made_by, loss_fn, words in (
        (LABELS + 1, model, nn.MultiMarginLoss(), "label|Target|target"),
        (LABELS + 1, model, lambda *_: torch.zeros(()), r"Label 3 .*\(12,\).* 3 classes"),
        (LABELS.float() + 0.5, model, lambda *_: torch.zeros(()), r"float32 of shape \(12,\)"),
        (torch.zeros(12, 2), model, lambda *_: torch.zeros(()), r"\(12, 2\)"),
        (LABELS + 1, model, nn.MSELoss(), r"Label 3 .*\(12,\).* 3 classes"),
        (
            torch.where(LABELS == 1, -100, LABELS),
            model,
            nn.MSELoss(),
            r"Label -100 .* 3 classes",
        ),
        (torch.zeros(12, 2), model, nn.MSELoss(), r"\(12, 3\).*\(12, 2\)"),
        (LABELS, nn.Linear(4, 1), nn.MSELoss(), r"Label 2 .*\(12,\).* 2 classes"),
        (LABELS, nn.Linear(4, 1), nn.BCEWithLogitsLoss(), "from 0 to 1, but one is 2"),
        (LABELS.float(), nn.Linear(4, 1), nn.CrossEntropyLoss(), r"\(12, 1\)"),
        (LABELS, model, nn.CrossEntropyLoss(reduction="none"), r"shape \(12,\).*single number"),
        (torch.full((12,), -100), model, nn.CrossEntropyLoss(), "ignores all labels"),
        (torch.full((12, 1), -100.0), nn.Linear(4, 1), nn.MSELoss(), "Label -100 .* 2 classes"),
        (torch.full((12,), -100), model, nn.MultiMarginLoss(), "target is -100.*0 to 2"),
        (LABELS, Returns(lambda x: (model(x), x)), nn.CrossEntropyLoss(), "tuple"),
        (LABELS, Returns(lambda x: model(x)[..., None]), nn.CrossEntropyLoss(), r"\(5, 3, 1\)"),
        (LABELS, Returns(lambda x: model(x)[:1]), nn.CrossEntropyLoss(), r"\(1, 3\)"),
        (LABELS, Returns(lambda x: model(x).argmax(1)), nn.CrossEntropyLoss(), "int64"),
    ):
        with pytest.raises((ValueError, IndexError), match=words):
            evaluate(made_by, inputs, targets, loss_fn)


def test_images_and_labels_of_different_numbers_are_refused(model, inputs):
    evaluator = Evaluator([(inputs, LABELS[:11])], lambda *_: torch.zeros(()))
    with pytest.raises(ValueError, match=r"12 images, .*\(11,\)"):
        evaluator.evaluate(model, "cpu")


def test_a_refused_evaluation_keeps_the_predictions_before(model, inputs):
    evaluator = Evaluator([(inputs, LABELS)])
    evaluator.evaluate(model, "cpu")
    before = evaluator.predictions
    with pytest.raises(ValueError, match="tuple"):
        evaluator.evaluate(Returns(lambda x: (x,)), "cpu")
    assert evaluator.predictions is before


def test_outputs_that_are_probabilities_are_not_softmaxed_twice(model, inputs):
    softmax_model = nn.Sequential(model, nn.Softmax(dim=1))
    evaluator = Evaluator([(inputs, LABELS)])
    evaluator.evaluate(softmax_model, "cpu")
    expected = model(inputs).softmax(1).detach()
    torch.testing.assert_close(evaluator.predictions.probabilities, expected)
    torch.testing.assert_close(predict_probabilities(softmax_model, inputs), expected)


def test_arrays_and_lists_of_images_are_predicted_as_tensors_are():
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    model = SimpleNet(28 * 28, 10)
    expected = predict_probabilities(model, images)
    read_only = images.numpy().copy()
    read_only.flags.writeable = False
    for name, same in {
        "an array": images.numpy(),
        "a read-only array": read_only,
        "an array of negative strides": np.ascontiguousarray(images.numpy()[::-1])[::-1],
        "a list of numbers": images.tolist(),
        "a list of arrays": list(images.numpy()),
        "a list of tensors": list(images),
        "floats": images.numpy()[:, None] / 255,
    }.items():
        torch.testing.assert_close(predict_probabilities(model, same), expected, msg=name)


def test_lists_of_floats_are_evaluated_as_tensors_are(model, inputs):
    expected = evaluate(model, inputs, LABELS, nn.CrossEntropyLoss())
    for name, batch in {
        "lists": (inputs.tolist(), LABELS.tolist()),
        "tuples of tuples": (tuple(map(tuple, inputs.tolist())), LABELS),
        "a list of tensors": (list(inputs), LABELS),
        "a list of arrays": (list(inputs.numpy()), LABELS),
    }.items():
        assert Evaluator([batch]).evaluate(model, "cpu") == pytest.approx(expected), name
    single, is_one = nn.Linear(4, 1), (LABELS == 1).float()[:, None]
    expected = evaluate(single, inputs, is_one, functional.mse_loss)
    evaluator = Evaluator([(inputs.tolist(), is_one.tolist())], functional.mse_loss)
    assert evaluator.evaluate(single, "cpu") == pytest.approx(expected)


def test_arrays_keep_their_type_and_counts_in_lists_their_value(model, inputs):
    array = inputs.double().numpy()
    for same in (array, list(array), [list(row) for row in array]):
        with pytest.raises(ValueError, match=r"inputs are torch\.float64.*float\(\)"):
            Evaluator([(same, LABELS)]).evaluate(model, "cpu")
    many = float(2**24 + 1)  # no float32
    assert accuracy([[many, 0.0], [0.0, many]]) == 1
    assert to_counts([[many, 0.0], [0.0, many]]).tolist() == [[many, 0], [0, many]]


def test_arrays_and_lists_of_labels_and_counts_are_measured_as_tensors_are():
    true, predicted = [0, 0, 1, 2, 2], [0, 1, 1, 2, 0]
    expected = confusion_matrix(torch.tensor(true), torch.tensor(predicted), 3)
    assert expected.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    for dtype in ("uint8", "int32", "int64", ">i4"):
        counts = confusion_matrix(np.array(true, dtype), np.array(predicted, dtype), 3)
        assert torch.equal(counts, expected)
    assert torch.equal(confusion_matrix(true, tuple(predicted), 3), expected)
    assert confusion_matrix([], [], 2).tolist() == [[0, 0], [0, 0]]
    for counts in (expected.numpy(), expected.tolist(), expected.double(), expected.int()):
        assert accuracy(counts) == accuracy(expected) == pytest.approx(0.6)
        assert torch.equal(recall(counts), recall(expected))
        assert torch.equal(precision(counts), precision(expected))


def test_wrong_labels_and_counts_are_refused_with_type_and_shape():
    for labels, words in (
        (np.array([0.5, 1.0]), r"predicted labels are torch.float64 of shape \(2,\).*tensor"),
        (["zero", "one"], "predicted labels must be a tensor"),
        (None, "predicted labels must be a tensor"),
        ([[0, 1], [1]], "predicted labels must be a tensor"),
    ):
        with pytest.raises(ValueError, match=words):
            confusion_matrix([0, 1], labels)
    for counts, words in (
        (np.ones((2, 3)), r"tensor.*float64.*\(2, 3\)"),
        (torch.ones(4), r"tensor.*float32.*\(4,\)"),
        (torch.full((2, 2), 0.5), r"tensor.*float32.*\(2, 2\)"),
        (torch.full((2, 2), torch.nan), r"tensor.*float32.*\(2, 2\)"),
        (torch.tensor([[3, -1], [0, 1]]), r"tensor.*int64.*\(2, 2\)"),
        (torch.tensor(3), r"tensor.*int64.*\(\)"),
        ("counts", "tensor"),
    ):
        for measure in (accuracy, recall, precision):
            with pytest.raises(ValueError, match=words):
                measure(counts)


def test_predictions_are_compared_by_their_values():
    probabilities, labels = torch.tensor([[0.2, 0.8], [0.6, 0.4]]), torch.tensor([1, 1])
    predictions = Predictions(probabilities, labels)
    assert predictions == Predictions(probabilities.clone(), [1, 1])
    assert predictions == Predictions(probabilities.numpy(), labels.numpy())
    assert predictions != Predictions(probabilities, [1, 0])
    assert predictions != Predictions(probabilities[:1], [1])
    assert predictions != "something else"
    diverged = Predictions(torch.full((1, 2), torch.nan), [0])
    assert diverged == diverged  # noqa: PLR0124 - NaN makes the difference


def test_predictions_that_do_not_fit_together_are_refused():
    for probabilities, labels, words in (
        (torch.zeros(2, 3), [0], r"\(2, 3\) and \(1,\)"),
        (torch.zeros(3), [0, 1, 2], r"\(3,\) and \(3,\)"),
        (torch.zeros(1, 3), [3], "Label 3 at position 0"),
    ):
        with pytest.raises(ValueError, match=words):
            Predictions(probabilities, labels)


def test_raw_scores_are_refused_as_predictions():
    scores = torch.randn(6, 5)
    probabilities, labels = scores.softmax(dim=1), torch.zeros(6, dtype=torch.int64)
    for wrong in (scores, scores.log_softmax(dim=1), scores.sigmoid(), 100 * probabilities):
        half = torch.cat([probabilities[:3], wrong[3:]])
        for rows in (wrong, half, wrong.half()):
            with pytest.raises(ValueError, match=r"sum to .* predict_probabilities.*softmax"):
                Predictions(rows, labels)
    with pytest.raises(ValueError, match=r"begin with 1\.5, -0\.5 and sum to 1"):
        Predictions([[1.5, -0.5]], [0])


def test_rounded_probabilities_and_rows_of_nan_are_accepted():
    labels = torch.zeros(6, dtype=torch.int64)
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for num_classes in (2, 10, 1000):
            scores = (5 * torch.randn(6, num_classes)).to(dtype)
            for rows in (scores.softmax(dim=1), scores.log_softmax(dim=1).exp()):
                rows[0] = torch.nan
                assert len(Predictions(rows, labels).labels) == 6
    assert len(Predictions(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)).labels) == 0


def test_what_an_evaluator_predicts_from_outputs_of_any_kind_passes_as_probabilities():
    inputs, labels = torch.randn(12, 4), torch.randint(0, 2, (12,))
    for last, loss_fn, num_outputs in (
        (nn.Sigmoid(), nn.BCELoss(), 1),
        (nn.Sigmoid(), nn.BCELoss(), 2),
        (nn.Sigmoid(), nn.MSELoss(), 2),
        (nn.Identity(), nn.BCEWithLogitsLoss(), 1),
        (nn.Identity(), nn.MSELoss(), 1),
        (nn.Softmax(dim=1), nn.CrossEntropyLoss(), 2),
        (nn.LogSoftmax(dim=1), nn.NLLLoss(), 2),
    ):
        for dtype in (torch.float32, torch.bfloat16):
            model = nn.Sequential(nn.Linear(4, num_outputs), last).to(dtype)
            evaluator = Evaluator([(inputs.to(dtype), labels)], loss_fn)
            evaluator.evaluate(model, "cpu")
            assert len(evaluator.predictions.labels) == 12, (last, loss_fn, dtype)


def test_stored_pixels_as_floats_are_refused_and_normalized_inputs_accepted():
    model, pixels = SimpleNet(28 * 28, 10), torch.randint(0, 256, (6, 28, 28), dtype=torch.uint8)
    for images in (pixels.float(), pixels[:, None].double(), pixels.float().numpy(), pixels.half()):
        with pytest.raises(ValueError, match=r"floats from 0 to 255.*Divide them by 255"):
            predict_probabilities(model, images)
    in_range = pixels / 255
    for images in (
        (in_range - 0.1307) / 0.3081,
        2 * in_range - 1,
        in_range.round(),
        2 * in_range.round() - 1,
        torch.zeros(0, 28, 28),
        torch.full((1, 28, 28), torch.nan),
        (pixels // 16).float(),  # as those of scikit-learn's digits
    ):
        assert len(predict_probabilities(model, images)) == len(images)
