"""The panels of a lab: their names, their headings, and which of them a button opens."""

PANELS = {
    "settings": "Settings",
    "loss_chart": "Loss",
    "gallery": "Test images",
    "prediction": "Prediction",
    "confusion": "Confusion matrix",
    "steps": "One training step",
    "drawing": "Draw a digit",
    "training_images": "Training images",
    "runs": "Runs",
}
"""The panels beside the one of the training: their names for `hide`, and their headings."""
ON_REQUEST = {
    "steps": ("Look inside one step", "Close the step", 150),
    "drawing": ("Draw a digit", "Close the drawing", 130),
    "training_images": ("Look at training images", "Close the images", 170),
}
"""Panels that a button opens, by their names for `show`: its words, and its width in pixels."""

TITLES = {"training": "Training", **PANELS, "diagnosis": "Diagnosis"}
