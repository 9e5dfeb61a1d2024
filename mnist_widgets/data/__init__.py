"""Images: data sets and their batches, downloads, and images as PNG."""
