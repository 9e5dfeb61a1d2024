"""What decides when a lab's network predicts, and which images."""
