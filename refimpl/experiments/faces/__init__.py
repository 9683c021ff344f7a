"""Train models of pictures of faces, with one binary variable for each attribute (slides 2 and 25)."""
