"""What one recorded training step shows: its five moves in tables, pictures and sentences."""
