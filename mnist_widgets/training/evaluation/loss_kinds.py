"""What a loss function of `torch.nn` takes, and its options, whatever form it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class LossKind(NamedTuple):
    """A loss of `torch.nn`, and what it takes.

    Attributes:
        module: The class in `torch.nn`.
        function: The function in `torch.nn.functional`.
        outputs: What the outputs are; "estimates" are approximations of the targets.
        targets: "classes" are class numbers, "shares" numbers from 0 to 1, "signs" -1 or 1.
    """

    module: type[nn.Module]
    function: Callable[..., Tensor]
    outputs: Literal["scores", "log-probabilities", "probabilities", "estimates", "other"]
    targets: Literal["classes", "shares", "signs", "numbers", "other"]

    @property
    def compares_each(self) -> bool:
        """Whether it compares each output with a target, which may be made from a label."""
        return self.targets == "shares" or self.outputs == "estimates"


_LOSS_KINDS = (
    LossKind(nn.CrossEntropyLoss, functional.cross_entropy, "scores", "classes"),
    LossKind(nn.NLLLoss, functional.nll_loss, "log-probabilities", "classes"),
    LossKind(nn.MultiMarginLoss, functional.multi_margin_loss, "other", "classes"),
    LossKind(nn.MSELoss, functional.mse_loss, "estimates", "numbers"),
    LossKind(nn.L1Loss, functional.l1_loss, "estimates", "numbers"),
    LossKind(nn.SmoothL1Loss, functional.smooth_l1_loss, "estimates", "numbers"),
    LossKind(nn.HuberLoss, functional.huber_loss, "estimates", "numbers"),
    LossKind(nn.KLDivLoss, functional.kl_div, "other", "numbers"),
    LossKind(nn.PoissonNLLLoss, functional.poisson_nll_loss, "other", "numbers"),
    LossKind(nn.GaussianNLLLoss, functional.gaussian_nll_loss, "other", "numbers"),
    LossKind(nn.BCELoss, functional.binary_cross_entropy, "probabilities", "shares"),
    LossKind(nn.BCEWithLogitsLoss, functional.binary_cross_entropy_with_logits, "scores", "shares"),
    LossKind(
        nn.MultiLabelSoftMarginLoss,
        functional.multilabel_soft_margin_loss,
        "scores",
        "numbers",
    ),
    LossKind(nn.SoftMarginLoss, functional.soft_margin_loss, "scores", "signs"),
    LossKind(nn.HingeEmbeddingLoss, functional.hinge_embedding_loss, "other", "signs"),
)
_OTHER_LOSS = LossKind(nn.Module, lambda *_: torch.empty(0), "other", "other")


def find_loss_kind(loss_fn: object) -> LossKind:
    """Return the kind of exactly this class or function: a subclass may compute anything."""
    if isinstance(loss_fn, partial):
        return find_loss_kind(loss_fn.func)
    kinds = (each for each in _LOSS_KINDS if type(loss_fn) is each.module or loss_fn is each[1])
    return next(kinds, _OTHER_LOSS)


def find_option(loss_fn: object, name: str, default: Any) -> Any:  # noqa: ANN401
    """Return an option of a loss function, such as `reduction`, or a default."""
    if isinstance(loss_fn, partial):
        return loss_fn.keywords.get(name, find_option(loss_fn.func, name, default))
    return getattr(loss_fn, name, default)


def find_ignored(loss_fn: object) -> int | None:
    """Return the label of images that do not count; None if the loss function counts all.

    Of the losses of `torch.nn`, only those with the option `ignore_index` ignore any. Other losses
    may ignore -100, the usual one.
    """
    with_option = (nn.CrossEntropyLoss, nn.NLLLoss)
    may_ignore = find_loss_kind(loss_fn).module in with_option or not _is_of_torch(loss_fn)
    label: int | None = find_option(loss_fn, "ignore_index", -100 if may_ignore else None)
    return label


def find_reduction(loss_fn: object) -> Any:  # noqa: ANN401
    """Return the `reduction` of a loss of `torch.nn`; `"mean"` for any other loss.

    A subclass, such as a focal loss, may give the option another meaning.
    """
    return find_option(loss_fn, "reduction", "mean") if _is_of_torch(loss_fn) else "mean"


def _is_of_torch(loss_fn: object) -> bool:
    kind = type(loss_fn) if isinstance(loss_fn, nn.Module) else getattr(loss_fn, "func", loss_fn)
    return str(getattr(kind, "__module__", "")).startswith("torch.nn.")
