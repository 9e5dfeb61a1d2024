"""What the panels show of several runs: lines in the chart, and the button that repeats a run."""
