"""What `doctor()` looks at."""
