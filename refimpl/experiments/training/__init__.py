"""The comparisons of the paper that train models: which runs they are made of, and how these are run and drawn."""
