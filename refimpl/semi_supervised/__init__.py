"""Training the mixture model with a handful of labels (slide 33)."""
