"""Train a network to solve jigsaws.  The arg max is a matching, which is fast; the sum over all matchings is not."""
