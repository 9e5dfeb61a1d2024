"""The clinic: twelve sick trainings, and what a student can say about them."""
