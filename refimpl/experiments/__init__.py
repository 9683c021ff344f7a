"""Test the claims and repeat the experiments of the paper; each of them is a command of `python -m refimpl`."""
