"""The record of one training step, and how it is made."""
