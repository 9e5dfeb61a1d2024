"""Check before the first update that the parts of a training fit together."""
