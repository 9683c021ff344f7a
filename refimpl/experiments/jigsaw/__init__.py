"""Train a network to solve jigsaws.  The arg max over all matchings is fast to compute, but a sum over them is not."""
