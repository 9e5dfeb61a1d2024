"""Judge a model: probabilities, loss, accuracy, confusion counts."""
