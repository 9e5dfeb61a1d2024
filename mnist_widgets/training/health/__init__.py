"""Signs of a sick training, found while it runs."""
