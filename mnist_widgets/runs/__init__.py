"""The settings of a run, the code that repeats it, and the log of runs."""
