"""Drawn faces, one binary variable for each attribute (slides 2 and 25)."""
