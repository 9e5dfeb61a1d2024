"""Outputs, targets and loss function: what torch computes without a word, or explains badly."""

from __future__ import annotations

import re
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist_widgets import Evaluator, Trainer, train_step
from mnist_widgets.training.evaluation.loss_checks import check_loss_inputs, checked
from mnist_widgets.training.evaluation.outputs import to_probabilities

SCORES, SINGLE = torch.randn(8, 10), torch.randn(8, 1)
LABELS = torch.arange(8)
YES_NO = (LABELS > 3).long()
SIGNS = 2.0 * YES_NO - 1
SHARES = SCORES.softmax(dim=1)
CROSS_ENTROPY, NLL, MSE = nn.CrossEntropyLoss(), nn.NLLLoss(), nn.MSELoss()
BCE, BCE_LOGITS = nn.BCELoss(), nn.BCEWithLogitsLoss()

# loss function, outputs, targets, words that name the fix
MISFITS = [
    (CROSS_ENTROPY, SINGLE, YES_NO, "two outputs for two classes"),
    (CROSS_ENTROPY, SINGLE, YES_NO[:, None].float(), "BCEWithLogitsLoss"),
    (CROSS_ENTROPY, SINGLE, YES_NO.float(), "BCEWithLogitsLoss"),
    (CROSS_ENTROPY, SINGLE[:, 0], YES_NO.float(), "BCEWithLogitsLoss"),
    (CROSS_ENTROPY, SCORES, LABELS.float(), r"float32 of shape \(8,\).*targets.long"),
    (CROSS_ENTROPY, SCORES, LABELS.int(), r"int32 of shape \(8,\).*targets.long"),
    (CROSS_ENTROPY, SCORES, LABELS[:, None], r"\(8, 1\).*targets.flatten"),
    (CROSS_ENTROPY, SCORES, functional.one_hot(LABELS, 10), "one-hot.*argmax"),
    (CROSS_ENTROPY, SCORES, LABELS[:7], r"\(8, 10\).*\(7,\).*one target for each image"),
    (CROSS_ENTROPY, SCORES[:, :5], LABELS, r"target is 5.*\(8, 5\).*classes 0 to 4"),
    (CROSS_ENTROPY, SCORES, LABELS - 1, "target is -1.*from 0"),
    (functional.cross_entropy, SCORES[:, :5], LABELS, "target is 5"),
    (CROSS_ENTROPY, (SCORES, SCORES), LABELS, "model returns a tuple"),
    (CROSS_ENTROPY, None, LABELS, "model returns None.*forward with a return"),
    (MSE, None, SHARES, "model returns None.*forward with a return"),
    (CROSS_ENTROPY, SCORES[:, :, None, None], LABELS, "10 classes.*nn.Flatten"),
    (CROSS_ENTROPY, SCORES[:, None], LABELS, "10 classes.*nn.Flatten"),
    (NLL, torch.randn(8, 10, 2, 2), LABELS, "40 classes.*nn.Flatten"),
    (CROSS_ENTROPY, SINGLE[:, :, None], YES_NO, "two outputs for two classes"),
    (CROSS_ENTROPY, SCORES, [1, 2], "targets are a list"),
    (NLL, SCORES, LABELS, "LogSoftmax.*CrossEntropyLoss"),
    (NLL, SHARES, LABELS, "LogSoftmax"),
    (NLL, SCORES.log_softmax(dim=1), functional.one_hot(LABELS, 10).float(), "argmax"),
    (functional.nll_loss, SCORES, LABELS, "LogSoftmax"),
    (partial(functional.cross_entropy, label_smoothing=0.1), SINGLE, YES_NO, "BCEWithLogits"),
    (nn.MultiMarginLoss(), SCORES[:, :5], LABELS, "target is 5"),
    (nn.MultiMarginLoss(), SCORES, torch.where(LABELS == 3, -100, LABELS), "target is -100"),
    (nn.MultiMarginLoss(), SCORES, LABELS.byte(), r"uint8 of shape \(8,\).*targets.long"),
    (MSE, SINGLE, LABELS.float(), r"\(8, 1\).*\(8,\).*\]\.reshape"),
    (MSE, SINGLE[:, 0], LABELS[:, None].float(), r"\(8,\).*\(8, 1\).*\]\.flatten"),
    (MSE, SCORES, LABELS, "one_hot.*10"),
    (MSE, torch.randn(8, 8), LABELS, "one_hot.*8"),
    (functional.mse_loss, SINGLE, LABELS.float(), r"\]\.reshape"),
    (nn.L1Loss(), SINGLE, LABELS.float(), r"\]\.reshape"),
    (nn.SmoothL1Loss(), SINGLE, LABELS.float(), r"\]\.reshape"),
    (nn.HuberLoss(), SINGLE, LABELS.float(), r"\]\.reshape"),
    (partial(functional.huber_loss, delta=2.0), SINGLE, LABELS.float(), r"\]\.reshape"),
    (nn.KLDivLoss(), SCORES.log_softmax(dim=1), LABELS, "one_hot"),
    (nn.PoissonNLLLoss(), SINGLE, LABELS.float(), r"\(8, 1\).*\(8,\).*targets\.reshape"),
    (nn.PoissonNLLLoss(), SINGLE[:, 0], LABELS[:, None].float(), r"targets\.flatten"),
    (functional.poisson_nll_loss, SCORES, LABELS, "one_hot.*10"),
    (nn.GaussianNLLLoss(), SINGLE, LABELS.float(), r"train_step: targets\.reshape"),
    (functional.gaussian_nll_loss, SINGLE, LABELS.float(), r"train_step: targets\.reshape"),
    (nn.HingeEmbeddingLoss(), SINGLE, SIGNS, r"targets\.reshape"),
    (functional.hinge_embedding_loss, torch.randn(8, 8), SIGNS, r"CrossEntropyLoss\(\)\.$"),
    (nn.SoftMarginLoss(), SINGLE, SIGNS, r"targets\.reshape"),
    (nn.SoftMarginLoss(), torch.randn(8, 8), SIGNS, r"CrossEntropyLoss\(\)\.$"),
    (nn.SoftMarginLoss(), None, SIGNS, "model returns None"),
    (nn.MultiLabelSoftMarginLoss(), SINGLE, YES_NO.float(), r"targets\.reshape"),
    (functional.multilabel_soft_margin_loss, torch.randn(8, 8), LABELS, "one_hot.*8"),
    (BCE_LOGITS, SINGLE, YES_NO, r"\(8, 1\).*\(8,\)"),
    (BCE_LOGITS, SINGLE, YES_NO[:, None], "float32.*int64"),
    (BCE_LOGITS, SINGLE, YES_NO[:, None].bool(), "float32.*bool"),
    (BCE_LOGITS, SINGLE[:, 0], LABELS.float(), "one is 7.*CrossEntropyLoss"),
    (BCE_LOGITS, SCORES, LABELS, "one_hot.*10"),
    (functional.binary_cross_entropy_with_logits, SINGLE[:, 0], LABELS.float(), "one is 7"),
    (BCE, SINGLE, YES_NO[:, None].float(), "Sigmoid.*BCEWithLogitsLoss"),
    (nn.CrossEntropyLoss(torch.ones(9)), SCORES, LABELS, r"\(9,\).*10 classes.*\(10,\)"),
    (nn.CrossEntropyLoss(torch.ones(9)), SCORES, SHARES, r"\(9,\).*10 classes.*\(10,\)"),
    (nn.CrossEntropyLoss(torch.ones(1, 10)), SCORES, LABELS, r"\(1, 10\).*\(10,\)"),
    (nn.CrossEntropyLoss(torch.ones(10).double()), SCORES, LABELS, r"float64.*to\(torch.float32"),
    (nn.CrossEntropyLoss(torch.ones(10).long()), SCORES, LABELS, r"int64.*to\(torch.float32"),
    (nn.NLLLoss(torch.ones(11)), SCORES.log_softmax(dim=1), LABELS, r"\(11,\).*\(10,\)"),
    (nn.MultiMarginLoss(weight=torch.ones(9)), SCORES, LABELS, r"\(9,\).*\(10,\)"),
    (partial(functional.cross_entropy, weight=torch.ones(9)), SCORES, LABELS, r"\(9,\)"),
    (nn.BCEWithLogitsLoss(pos_weight=torch.ones(7)), SCORES, SHARES, r"pos_weight.*7.*\(10,\)"),
    (nn.BCEWithLogitsLoss(pos_weight=torch.ones(7)), SINGLE, SHARES[:, :1], r"\(7,\).*\(1,\)"),
    (nn.BCEWithLogitsLoss(torch.ones(9)), SCORES, SHARES, r"The weight.*\(9,\).*\(10,\)"),
    (nn.BCELoss(torch.ones(8)), SINGLE.sigmoid(), SHARES[:, :1], r"\(8,\).*\(1,\)"),
    (nn.MultiLabelSoftMarginLoss(torch.ones(8)), SINGLE, SHARES[:, :1], r"\(8,\).*\(1,\)"),
    (BCE, SINGLE.sigmoid(), YES_NO[:, None], "float32.*int64"),
    (BCE, SINGLE.sigmoid(), YES_NO[:, None].double(), "float32.*float64"),
    (functional.binary_cross_entropy, SINGLE, YES_NO[:, None].float(), "Sigmoid"),
]

FITS = [
    (CROSS_ENTROPY, SCORES, LABELS),
    (CROSS_ENTROPY, SCORES, LABELS.byte()),
    (CROSS_ENTROPY, SCORES, SHARES),
    (CROSS_ENTROPY, SCORES, torch.where(LABELS == 3, -100, LABELS)),
    (nn.CrossEntropyLoss(ignore_index=99), SCORES, torch.where(LABELS == 3, 99, LABELS)),
    (nn.CrossEntropyLoss(weight=torch.ones(10), reduction="sum"), SCORES, LABELS),
    (nn.CrossEntropyLoss(torch.ones(10).double()), SCORES, SHARES),
    (nn.CrossEntropyLoss(torch.ones(10).double()), SCORES.double(), LABELS),
    (nn.CrossEntropyLoss(torch.ones(10)), SCORES[0], LABELS[0]),
    (nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0)), SINGLE[:, 0], SHARES[:, 0]),
    (nn.BCEWithLogitsLoss(pos_weight=torch.ones(10).double()), SCORES, SHARES),
    (nn.BCEWithLogitsLoss(torch.ones(8, 1)), SCORES, SHARES),
    (CROSS_ENTROPY, torch.randn(8, 3, 5), torch.zeros(8, 5, dtype=torch.int64)),
    (CROSS_ENTROPY, SCORES[0], LABELS[0]),
    (functional.cross_entropy, SCORES, LABELS),
    (
        partial(functional.cross_entropy, ignore_index=99),
        SCORES,
        torch.where(LABELS == 3, 99, LABELS),
    ),
    (NLL, SCORES.log_softmax(dim=1), LABELS),
    (NLL, (SHARES + 1e-4).log(), LABELS),
    (MSE, SCORES, SHARES),
    (MSE, SINGLE, LABELS[:, None]),
    (MSE, SINGLE[:, 0], LABELS.double()),
    (BCE_LOGITS, SINGLE, YES_NO[:, None].double()),
    (BCE_LOGITS, SCORES, SHARES),
    (BCE, SINGLE.sigmoid(), YES_NO[:, None].float()),
    (nn.MultiMarginLoss(), SCORES, LABELS),
    (nn.PoissonNLLLoss(), SINGLE, LABELS[:, None]),
    (nn.HingeEmbeddingLoss(), SINGLE[:, 0], SIGNS),
    (nn.SoftMarginLoss(), SINGLE, SIGNS[:, None].long()),
    (nn.MultiLabelSoftMarginLoss(), SCORES, functional.one_hot(LABELS, 10)),
    (lambda outputs, targets: (outputs - targets).sum(), SINGLE, LABELS),
]


def test_what_does_not_fit_is_refused_with_the_fix():
    for loss_fn, outputs, targets, words in MISFITS:
        for check in (lambda *given, loss_fn=loss_fn: check_loss_inputs(loss_fn, *given), None):
            with (
                pytest.raises((TypeError, ValueError), match=words) as refused,
                checked(loss_fn) as checked_loss_fn,
            ):
                (check or checked_loss_fn)(outputs, targets)
            assert re.search(r"Loss|_loss|cross_entropy|target is", str(refused.value)), words


def test_what_fits_gives_the_loss_that_it_gave():
    for loss_fn, outputs, targets in FITS:
        expected = loss_fn(outputs, targets)
        with checked(loss_fn) as checked_loss_fn:
            assert torch.equal(checked_loss_fn(outputs, targets), expected), loss_fn


class Fixed(nn.Module):
    """Returns the same outputs for any inputs."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = nn.Parameter(outputs.detach().clone())

    def forward(self, _inputs):
        return self.outputs * 1


def follow(refused, loss_fn):
    """Return the loss function and the train step of an error's advice; None without one."""
    names = {"nn": nn, "torch": torch, "train_step": train_step}
    if advice := re.search(r"loss_fn = (lambda .*)\.$", str(refused)):
        return eval(advice[1], names), train_step
    if advice := re.search(r"train_step=(lambda .*)\)\.$", str(refused)):
        return loss_fn, eval(advice[1], names)
    return None


def test_the_advice_works_when_it_is_followed():
    shares, scores = SINGLE.sigmoid(), SHARES.log()
    num_followed = 0
    for loss_fn in (nn.CrossEntropyLoss(), functional.nll_loss, nn.MultiMarginLoss(), BCE, MSE):
        for outputs in (shares, shares[:, 0], scores, scores.exp()):
            if loss_fn is BCE and outputs is scores:
                continue  # torch refuses these outputs, whatever the targets
            for labels in (YES_NO, YES_NO[:, None], functional.one_hot(YES_NO, 10)):
                for dtype in (torch.int64, torch.int32, torch.uint8, torch.bool, torch.float32):
                    targets = labels.to(dtype)
                    try:
                        check_loss_inputs(loss_fn, outputs, targets)
                    except ValueError as refused:
                        advice = follow(refused, loss_fn)
                    else:
                        continue
                    if advice is None:
                        continue
                    model, batch = Fixed(outputs), (torch.zeros(8, 1), targets)
                    probabilities = to_probabilities(outputs, loss_fn)
                    is_right = probabilities.argmax(dim=1) == YES_NO
                    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
                    own_loss_fn, step = advice
                    history = Trainer(
                        *(model, own_loss_fn, optimizer, [batch]),
                        evaluator=Evaluator([batch], own_loss_fn),
                        train_step=step,
                        device="cpu",
                    ).fit(1)
                    words = (loss_fn, outputs.shape, labels.shape, dtype)
                    assert history["train"] == pytest.approx(history["test_loss"]), words
                    assert history["test_accuracy"] == [is_right.float().mean().item()], words
                    num_followed += 1
    assert num_followed > 50


def test_the_advice_for_other_elementwise_losses_gives_the_loss_of_equal_shapes():
    poisson, signs = nn.PoissonNLLLoss(), (nn.HingeEmbeddingLoss(), nn.SoftMarginLoss())
    one_hot = functional.one_hot(LABELS, 10).float()
    for loss_fn, outputs, targets, converted in (
        (poisson, SINGLE, LABELS, LABELS[:, None].float()),
        (poisson, SCORES, LABELS, one_hot),
        *((loss_fn, SINGLE, SIGNS, SIGNS[:, None]) for loss_fn in signs),
        *((loss_fn, SINGLE[:, 0], SIGNS[:, None], SIGNS) for loss_fn in signs),
        (nn.MultiLabelSoftMarginLoss(), SCORES, LABELS, one_hot),
    ):
        with pytest.raises(ValueError, match="loss_fn = ") as refused:
            check_loss_inputs(loss_fn, outputs, targets)
        own_loss_fn, _ = follow(refused.value, loss_fn)
        assert own_loss_fn(outputs, targets) == loss_fn(outputs, converted), loss_fn


def test_a_loss_with_three_inputs_is_checked_in_the_users_own_step():
    loss_fn, variances = nn.GaussianNLLLoss(), torch.ones(8, 1)
    expected = loss_fn(SINGLE, LABELS[:, None].float(), variances)
    with checked(loss_fn) as checked_loss_fn:
        assert checked_loss_fn(SINGLE, LABELS[:, None].float(), variances) == expected
        with pytest.raises(ValueError, match=r"targets\.reshape"):
            checked_loss_fn(SINGLE, LABELS.float(), variances)


def test_class_weights_of_another_type_are_for_torch_to_convert_under_autocast():
    weights = torch.ones(10)
    with torch.autocast("cpu", dtype=torch.bfloat16), checked(CROSS_ENTROPY) as plain:
        outputs = SCORES @ torch.eye(10)
        assert outputs.dtype == torch.bfloat16
        expected = plain(outputs, LABELS)
        with checked(nn.CrossEntropyLoss(weights)) as weighted:
            assert weighted(outputs, LABELS) == pytest.approx(expected.item())


def test_a_subclass_may_take_what_its_base_refuses():
    class Flattened(nn.CrossEntropyLoss):
        def forward(self, outputs, targets):
            return super().forward(outputs, targets.flatten())

    with checked(Flattened()) as loss_fn:
        assert loss_fn(SCORES, LABELS[:, None]) == CROSS_ENTROPY(SCORES, LABELS)


def test_a_checked_loss_looks_like_the_original_and_is_checked_only_in_the_context():
    original = nn.CrossEntropyLoss(weight=torch.ones(10), ignore_index=3)
    with checked(original) as loss_fn:
        assert type(loss_fn) is nn.CrossEntropyLoss
        assert loss_fn.ignore_index == 3
        assert torch.equal(loss_fn.weight, original.weight)
        with pytest.raises(ValueError, match=r"targets\.long"):
            loss_fn(SCORES, LABELS.float())
    with pytest.raises(RuntimeError, match="dtype"):  # torch's own words
        original(SCORES, LABELS.float())
    with checked(functional.mse_loss) as loss_fn:
        assert loss_fn.__name__ == "mse_loss"
        assert loss_fn(SCORES, SHARES, reduction="none").shape == (8, 10)
