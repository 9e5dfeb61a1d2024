"""The networks of the lessons, which compute raw scores from images, and torch's wrappers."""

from __future__ import annotations

from torch import Tensor, nn


class SimpleNet(nn.Module):
    """The tutorial's network: one hidden layer with ReLU, then one score for each class.

    It returns raw scores (logits) because `nn.CrossEntropyLoss` includes the softmax.

    Example:
        >>> model = SimpleNet(28 * 28, 10)
        >>> logits = model(torch.rand(512, 1, 28, 28))  # (512, 10)

    Args:
        input_dim: Number of values in one flattened input, 28 * 28 for the digits.
        num_classes: Number of scores for each input.
        hidden_units: Width of the hidden layer.

    Raises:
        ValueError: A size is below 1.
    """

    def __init__(self, input_dim: int, num_classes: int, *, hidden_units: int = 512) -> None:
        super().__init__()
        sizes = {"input_dim": input_dim, "num_classes": num_classes, "hidden_units": hidden_units}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} is {size}; it must be a whole number of at least 1.")
        self.flatten = nn.Flatten()
        self.linear1 = nn.Linear(input_dim, hidden_units)
        self.linear2 = nn.Linear(hidden_units, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute a score for each class and each image.

        Args:
            images: Floats (N, ...), `input_dim` of them for each of the N images.

        Returns:
            Raw scores (N, num_classes); a softmax over the last axis converts them to
            probabilities.
        """
        hidden = nn.functional.relu(self.linear1(self.flatten(images)))
        logits: Tensor = self.linear2(hidden)
        return logits


def build_linear(num_classes: int, _hidden_units: int, _dropout: float) -> nn.Module:
    """Return a network without a hidden layer: each score is a weighted sum of the pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, num_classes))


def build_one_hidden(num_classes: int, hidden_units: int, dropout: float) -> nn.Module:
    """Return a `SimpleNet`, or the same layers with dropout after the hidden one."""
    if not dropout:
        return SimpleNet(28 * 28, num_classes, hidden_units=hidden_units)
    return nn.Sequential(
        nn.Flatten(),
        *_build_hidden(28 * 28, hidden_units, dropout),
        nn.Linear(hidden_units, num_classes),
    )


def build_two_hidden(num_classes: int, hidden_units: int, dropout: float) -> nn.Module:
    """Return a network with two hidden layers of equal width."""
    return nn.Sequential(
        nn.Flatten(),
        *_build_hidden(28 * 28, hidden_units, dropout),
        *_build_hidden(hidden_units, hidden_units, dropout),
        nn.Linear(hidden_units, num_classes),
    )


def build_convolutional(num_classes: int, hidden_units: int, dropout: float) -> nn.Module:
    """Return a network with two convolutions, each halving the image, and a hidden layer.

    The convolutions have 16 filters of 5x5 and 32 of 3x3, so the hidden layer gets 32 x 7 x 7.
    """
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        *_build_hidden(32 * 7 * 7, hidden_units, dropout),
        nn.Linear(hidden_units, num_classes),
    )


def write_network(model: nn.Module) -> str:
    """Return the expression that builds a network of this module, with `nn` for `torch.nn`."""
    if isinstance(model, SimpleNet):
        hidden_units, num_classes = model.linear1.out_features, model.linear2.out_features
        return f"SimpleNet(28 * 28, {num_classes}, hidden_units={hidden_units})"
    lines = "".join(f"    nn.{layer!r},\n" for layer in model.children())
    return f"nn.Sequential(\n{lines})"


def find_wrapped_name(model: nn.Module) -> str | None:
    """Return the name of the model inside a wrapper of `torch.compile` or of parallel training.

    Return None for a model that is not such a wrapper.
    """
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return "module"
    return "_orig_mod" if isinstance(getattr(model, "_orig_mod", None), nn.Module) else None


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside the wrappers of `torch.compile` and of parallel training."""
    while name := find_wrapped_name(model):
        model = getattr(model, name)
    return model


def _build_hidden(num_inputs: int, hidden_units: int, dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Linear(num_inputs, hidden_units), nn.ReLU()]
    return [*layers, nn.Dropout(dropout)] if dropout else layers
