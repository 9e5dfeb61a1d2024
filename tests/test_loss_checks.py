"""Outputs, targets and loss function: what torch computes without a word, or explains badly."""

from __future__ import annotations

import re
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist_widgets.loss_checks import check_loss_inputs, with_checks

SCORES, SINGLE = torch.randn(8, 10), torch.randn(8, 1)
LABELS = torch.arange(8)
YES_NO = (LABELS > 3).long()
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
    (CROSS_ENTROPY, SCORES, [1, 2], "targets are a list"),
    (NLL, SCORES, LABELS, "LogSoftmax.*CrossEntropyLoss"),
    (NLL, SHARES, LABELS, "LogSoftmax"),
    (NLL, SCORES.log_softmax(dim=1), functional.one_hot(LABELS, 10).float(), "argmax"),
    (functional.nll_loss, SCORES, LABELS, "LogSoftmax"),
    (partial(functional.cross_entropy, label_smoothing=0.1), SINGLE, YES_NO, "BCEWithLogits"),
    (nn.MultiMarginLoss(), SCORES[:, :5], LABELS, "target is 5"),
    (MSE, SINGLE, LABELS.float(), r"\(8, 1\).*\(8,\).*targets.reshape"),
    (MSE, SINGLE[:, 0], LABELS[:, None].float(), r"\(8,\).*\(8, 1\).*targets.reshape"),
    (MSE, SCORES, LABELS, "one_hot.*10"),
    (MSE, torch.randn(8, 8), LABELS, "one_hot.*8"),
    (functional.mse_loss, SINGLE, LABELS.float(), "targets.reshape"),
    (nn.L1Loss(), SINGLE, LABELS.float(), "targets.reshape"),
    (nn.SmoothL1Loss(), SINGLE, LABELS.float(), "targets.reshape"),
    (nn.HuberLoss(), SINGLE, LABELS.float(), "targets.reshape"),
    (partial(functional.huber_loss, delta=2.0), SINGLE, LABELS.float(), "targets.reshape"),
    (nn.KLDivLoss(), SCORES.log_softmax(dim=1), LABELS, "one_hot"),
    (BCE_LOGITS, SINGLE, YES_NO, r"\(8, 1\).*\(8,\)"),
    (BCE_LOGITS, SINGLE, YES_NO[:, None], "float32.*int64"),
    (BCE_LOGITS, SINGLE, YES_NO[:, None].bool(), "float32.*bool"),
    (BCE_LOGITS, SINGLE[:, 0], LABELS.float(), "one is 7.*CrossEntropyLoss"),
    (BCE_LOGITS, SCORES, LABELS, "one_hot.*10"),
    (functional.binary_cross_entropy_with_logits, SINGLE[:, 0], LABELS.float(), "one is 7"),
    (BCE, SINGLE, YES_NO[:, None].float(), "Sigmoid.*BCEWithLogitsLoss"),
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
    (lambda outputs, targets: (outputs - targets).sum(), SINGLE, LABELS),
]


def test_what_does_not_fit_is_refused_with_the_fix():
    for loss_fn, outputs, targets, words in MISFITS:
        for check in (lambda *given, loss_fn=loss_fn: check_loss_inputs(loss_fn, *given), None):
            check = check or with_checks(loss_fn)  # noqa: PLW2901 - both ways refuse
            with pytest.raises((TypeError, ValueError), match=words) as refused:
                check(outputs, targets)
            assert re.search(r"Loss|_loss|cross_entropy|target is", str(refused.value)), words


def test_what_fits_gives_the_loss_that_it_gave():
    for loss_fn, outputs, targets in FITS:
        expected = loss_fn(outputs, targets)
        assert torch.equal(with_checks(loss_fn)(outputs, targets), expected), loss_fn


def test_a_subclass_may_take_what_its_base_refuses():
    class Flattened(nn.CrossEntropyLoss):
        def forward(self, outputs, targets):
            return super().forward(outputs, targets.flatten())

    assert with_checks(Flattened())(SCORES, LABELS[:, None]) == CROSS_ENTROPY(SCORES, LABELS)


def test_a_checked_loss_looks_like_the_original_and_leaves_it_alone():
    original = nn.CrossEntropyLoss(weight=torch.ones(10), ignore_index=3)
    checked = with_checks(original)
    assert type(checked) is nn.CrossEntropyLoss
    assert checked.ignore_index == 3
    assert torch.equal(checked.weight, original.weight)
    with pytest.raises(RuntimeError, match="dtype"):  # torch's own words
        original(SCORES, LABELS.float())
    assert with_checks(functional.mse_loss).__name__ == "mse_loss"
    assert with_checks(functional.mse_loss)(SCORES, SHARES, reduction="none").shape == (8, 10)
