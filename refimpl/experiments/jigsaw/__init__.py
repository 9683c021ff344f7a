"""Train a network to solve jigsaws.

The arg max is a matching, which can be computed fast.  The sum over all matchings cannot be computed fast.
"""
