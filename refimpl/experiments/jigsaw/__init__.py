"""A network that learns to solve jigsaws: the arg max is a matching, which is fast; the sum over all is not."""
