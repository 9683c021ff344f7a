"""Test the claims of the paper and repeat its experiments, with the commands of `python -m refimpl`."""
