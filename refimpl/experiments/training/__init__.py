"""Define and train the runs of the paper's comparisons, and draw their pictures."""
