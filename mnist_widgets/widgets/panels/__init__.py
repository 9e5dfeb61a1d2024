"""The panels, one in each module."""
