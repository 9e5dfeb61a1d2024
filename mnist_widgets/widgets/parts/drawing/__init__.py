"""What the drawing pad is built of."""
