"""What each part of a training must be able to do, and an example of one."""

from __future__ import annotations

_KINDS = {
    "model": ("__call__", "SimpleNet(28 * 28, 10)"),
    "loss_fn": ("__call__", "nn.CrossEntropyLoss()"),
    "optimizer": ("zero_grad", "torch.optim.Adam(model.parameters())"),
    "evaluator": ("evaluate", "Evaluator(test_set.batches(512))"),
    "callback": ("on_batch_end", "ProgressBar()"),
}


def check_kind(name: str, part: object) -> None:
    """Check that a part of a training is an instance that can be used as one.

    Args:
        name: `model`, `loss_fn`, `optimizer`, `evaluator` or `callback`.
        part: what was passed; None is an evaluator that is left out.

    Raises:
        TypeError: it is a class, or an object of another kind.
    """
    method, example = _KINDS[name]
    if part is None and name == "evaluator":
        return
    if isinstance(part, type):
        raise TypeError(
            f"{name} is the class {part.__name__} itself. Make an instance of it, as in "
            f"{name} = {example}."
        )
    if hasattr(part, "get_last_lr"):
        example = "LearningRateScheduler(scheduler)"
    if not callable(getattr(part, method, None)):
        raise TypeError(
            f"{name} is a {type(part).__name__}, which cannot be used as one. Pass one such as "
            f"{example}."
        )
