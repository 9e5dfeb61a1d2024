"""Outputs and targets are read in one way, or refused in a sentence that names their shapes."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist_widgets.training.evaluation.outputs import check_outputs, to_labels, to_probabilities

SCORES = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 0.2]])


def test_scores_log_probabilities_and_probabilities_give_the_same_probabilities():
    expected = SCORES.softmax(1)
    for form, outputs in {
        "scores": SCORES,
        "log-probabilities": SCORES.log_softmax(1),
        "probabilities": expected,
        "float64 probabilities": SCORES.double().softmax(1),
    }.items():
        for loss_fn in (None, nn.CrossEntropyLoss(), nn.NLLLoss(), lambda outputs, _: outputs):
            found = to_probabilities(outputs, loss_fn)
            torch.testing.assert_close(found, expected, msg=f"{form} with {loss_fn}")
            assert found.dtype == torch.float32


def test_half_precision_probabilities_are_not_softmaxed_twice():
    for dtype in (torch.float16, torch.bfloat16):
        found = to_probabilities(SCORES.softmax(1).to(dtype))
        torch.testing.assert_close(found, SCORES.softmax(1), atol=0.01, rtol=0)


def test_sigmoids_of_scores_give_the_probabilities_of_these_scores():
    sigmoid_model = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid())
    for loss_fn, model in ((nn.BCELoss(), None), (nn.MSELoss(), sigmoid_model)):
        found = to_probabilities(SCORES.sigmoid(), loss_fn, model)
        torch.testing.assert_close(found, SCORES.softmax(1))


def test_the_loss_sets_the_threshold_of_single_outputs():
    outputs = torch.tensor([[-0.2], [0.2], [0.7]])
    bce, with_logits = functional.binary_cross_entropy, functional.binary_cross_entropy_with_logits
    linear = nn.Linear(4, 1)
    sigmoid = nn.Sequential(linear, nn.Sequential(nn.Sigmoid(), nn.Flatten(0)))
    for name, loss_fn, model, values, classes in (
        ("scores", nn.BCEWithLogitsLoss(), None, outputs, [0, 1, 1]),
        ("scores, function", with_logits, None, outputs, [0, 1, 1]),
        ("scores in one row", nn.BCEWithLogitsLoss(), None, outputs.flatten(), [0, 1, 1]),
        ("estimates of 0 and 1", nn.MSELoss(), linear, outputs, [0, 0, 1]),
        ("scores, loss unknown", None, linear, outputs[1:], [1, 1]),
        ("probabilities", nn.BCELoss(), None, outputs.abs(), [0, 0, 1]),
        ("probabilities, function", partial(bce, reduction="sum"), None, outputs[1:], [0, 1]),
        ("probabilities, loss unknown", lambda *_: 0, sigmoid, outputs[1:], [0, 1]),
    ):
        probabilities = to_probabilities(values, loss_fn, model)
        assert probabilities.shape == (len(values), 2), name
        torch.testing.assert_close(probabilities.sum(1), torch.ones(len(values)))
        assert probabilities.argmax(1).tolist() == classes, name


def test_the_class_of_a_single_output_does_not_depend_on_the_images_beside_it():
    outputs = torch.tensor([[-1.0], [0.2], [0.7], [3.0]])
    models = (None, nn.Linear(4, 1), SigmoidBetween(1), nn.Sequential(nn.Linear(4, 1), Head()))
    for loss_fn in (None, lambda *_: 0, nn.BCEWithLogitsLoss(), nn.BCELoss(), nn.MSELoss()):
        for model in models:
            together = to_probabilities(outputs, loss_fn, model)
            alone = [to_probabilities(each[None], loss_fn, model) for each in outputs]
            assert torch.equal(together, torch.cat(alone)), (loss_fn, model)


class SigmoidBetween(nn.Module):
    """A network whose sigmoid, registered last, comes before its last layer."""

    def __init__(self, num_outputs):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, num_outputs)
        self.activation = nn.Sigmoid()

    def forward(self, inputs):
        return self.last(self.activation(self.first(inputs)))


class Head(nn.Sequential):
    """Layers in an order of their own: the sigmoid first."""

    def __init__(self):
        super().__init__(nn.Linear(1, 1), nn.Sigmoid())

    def forward(self, inputs):
        return self[0](self[1](inputs))


def test_a_sigmoid_between_other_layers_makes_no_probabilities_of_scores():
    in_range = torch.tensor([[0.9, 0.1, 0.4], [0.2, 0.3, 0.1]])
    for loss_fn in (None, nn.CrossEntropyLoss(), nn.MSELoss(), lambda *_: 0):
        found = to_probabilities(in_range, loss_fn, SigmoidBetween(3))
        torch.testing.assert_close(found, in_range.softmax(1))
    for loss_fn in (None, nn.BCEWithLogitsLoss(), lambda *_: 0):
        found = to_probabilities(in_range[:, :1], loss_fn, SigmoidBetween(1))
        torch.testing.assert_close(found[:, 1], in_range[:, 0].sigmoid())


def test_the_loss_function_decides_before_the_last_layer():
    model, outputs = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid()), SCORES.sigmoid()
    for loss_fn in (nn.CrossEntropyLoss(), functional.cross_entropy):
        found = to_probabilities(outputs, loss_fn, model)
        torch.testing.assert_close(found, outputs.softmax(1))


def test_the_last_layer_of_a_wrapped_model_counts():
    def compiled(model):
        return torch.compile(model, backend="eager")

    model, outputs = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()), SCORES[:, :1].sigmoid()
    for wrapped in (
        compiled(model),
        nn.DataParallel(model),
        nn.DataParallel(compiled(model)),
        compiled(nn.DataParallel(model)),
        nn.Sequential(nn.Flatten(), nn.DataParallel(model)),
    ):
        found = to_probabilities(outputs, None, wrapped)
        torch.testing.assert_close(found[:, 1:], outputs)


def test_nan_stays_nan_and_leaves_other_images_alone():
    outputs = torch.cat([SCORES.softmax(1), torch.full((1, 3), torch.nan)])
    found = to_probabilities(outputs)
    torch.testing.assert_close(found[:2], SCORES.softmax(1))
    assert found[2].isnan().all()
    assert to_probabilities(torch.tensor([torch.nan]), nn.BCELoss()).isnan().all()


def test_outputs_that_are_no_numbers_for_each_image_are_refused_with_their_shape():
    for outputs, words in (
        (torch.zeros(4, 3), r"\(4, 3\)"),
        (torch.zeros(3), r"\(3,\)"),
        (torch.zeros(()), r"\(\)"),
        (torch.zeros(5, 0), r"\(5, 0\)"),
        (torch.zeros(5, 3, 1, 1), r"\(5, 3, 1, 1\)"),
        (torch.zeros(5, dtype=torch.int64), r"int64.*\(5,\)"),
        ((torch.zeros(5, 3), torch.zeros(5)), "tuple"),
        (None, "NoneType"),
    ):
        with pytest.raises(ValueError, match=words + r".*5 images"):
            check_outputs(outputs, 5)
    for shape in ((5, 3), (5, 1), (5,)):
        assert check_outputs(torch.zeros(shape), 5).shape == shape


def test_labels_are_read_from_classes_in_any_shape_and_from_one_number_for_each_class():
    soft = torch.tensor([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7]])
    for name, targets in {
        "labels": torch.tensor([1, 0, 2]),
        "a column": torch.tensor([[1], [0], [2]]),
        "narrow": torch.tensor([1, 0, 2], dtype=torch.uint8),
        "floats": torch.tensor([1.0, 0.0, 2.0]),
        "one-hot": functional.one_hot(torch.tensor([1, 0, 2]), 3),
        "one-hot floats": functional.one_hot(torch.tensor([1, 0, 2]), 3).float(),
        "soft": soft,
    }.items():
        labels, counts = to_labels(targets, 3)
        assert labels.tolist() == [1, 0, 2], name
        assert labels.dtype == torch.int64, name
        assert counts.all(), name


class OwnLoss(nn.MultiMarginLoss):
    """A loss that is not of torch, and may ignore labels in `forward`."""


def test_labels_of_losses_that_ignore_none_all_count():
    targets = torch.tensor([1, -100])
    for loss_fn in (
        *(nn.MSELoss(), nn.MultiMarginLoss(), nn.CTCLoss(), nn.CosineEmbeddingLoss()),
        *(functional.mse_loss, partial(functional.multi_margin_loss, margin=2.0)),
    ):
        with pytest.raises(ValueError, match=r"Label -100 .* 2 classes"):
            to_labels(targets, 2, loss_fn)
        assert to_labels(targets[:1], 2, loss_fn)[1].all(), loss_fn


def test_ignored_labels_do_not_count():
    targets = torch.tensor([1, -100, 2, 7])
    for loss_fn, ignored in (
        (nn.CrossEntropyLoss(ignore_index=7), 7),
        (nn.NLLLoss(ignore_index=7), 7),
        (partial(functional.cross_entropy, ignore_index=7), 7),
        (functional.cross_entropy, -100),
        (partial(functional.nll_loss, reduction="sum"), -100),
        (OwnLoss(), -100),
        (lambda *_: torch.zeros(()), -100),
    ):
        kept = targets[(targets == ignored) | (targets == 1)]
        assert to_labels(kept, 3, loss_fn)[1].tolist() == [True, False]


def test_targets_that_name_no_class_are_refused_with_their_shape():
    for targets, words in (
        (torch.tensor([0, 3]), r"Label 3 .*\(2,\).*3 classes"),
        (torch.tensor([[0], [-1]]), r"Label -1 .*\(2, 1\)"),
        (torch.tensor([0.0, 0.3]), r"whole numbers|float32 of shape \(2,\)"),
        (torch.tensor([0.0, torch.nan]), r"\(2,\)"),
        (torch.zeros(2, 4), r"\(2, 4\).*\(B, 3\)"),
        (torch.zeros(2, 3, 1), r"\(2, 3, 1\)"),
        (torch.tensor([[1, 1, 0], [0, 0, 1]]), r"\(2, 3\).*several"),
        (torch.zeros(2, 3), r"\(2, 3\).*several"),
    ):
        with pytest.raises(ValueError, match=words):
            to_labels(targets, 3)
