"""What panels are built of."""
