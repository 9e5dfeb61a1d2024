"""The checks of `doctor()`."""
