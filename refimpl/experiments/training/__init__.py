"""The comparisons of the paper that train models: their runs, how these are trained, and their pictures."""
