"""Define and train the runs of the paper's comparisons, and plot the results of these runs."""
