"""The loss functions that a run can be set to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.nn import functional


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean squared error of the probabilities, measured against one-hot targets.

    The softmax belongs to the loss, as it does with cross-entropy: the network's outputs stay raw
    scores, whichever loss it was trained with.

    Args:
        logits: (B, C), raw scores.
        labels: int64 (B,).
    """
    targets = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return functional.mse_loss(logits.softmax(dim=1), targets)


LOSS_FUNCTIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": nn.CrossEntropyLoss(),
    "nll": nn.NLLLoss(),
    "mse": squared_error,
}
