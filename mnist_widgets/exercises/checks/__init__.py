"""The checks of the exercises, one in each module."""
