"""Evaluate a model: probabilities, loss, accuracy, confusion counts."""
