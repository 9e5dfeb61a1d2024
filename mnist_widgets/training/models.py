"""The networks of the lessons: plain `torch.nn.Module`s that compute raw scores from images."""

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
