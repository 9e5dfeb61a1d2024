"""The environment variable that names the folder of the data sets."""

from __future__ import annotations

import os

DATA_VARIABLE = "MNIST_WIDGETS_DATA"


def read_data_folder() -> str:
    """Return what the variable names, without spaces and quotes around it; empty if it is unset.

    The files and dialogs in which some systems set variables keep quotes as part of the value.
    """
    return os.environ.get(DATA_VARIABLE, "").strip().strip("\"'").strip()
