"""What the explorer of a training step is built of."""
