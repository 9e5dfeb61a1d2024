"""The curves of a training: losses and accuracies, their axes, and what a chart shows of them."""
