"""Train a model: models, the loop, callbacks, history, and the tutorial's functions."""
