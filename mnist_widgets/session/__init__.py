"""Train in a worker thread: start, pause, step, stop, and jobs between two batches."""
