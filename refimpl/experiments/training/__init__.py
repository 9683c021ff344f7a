"""Define and train the runs of the comparisons in the paper, and draw their pictures."""
