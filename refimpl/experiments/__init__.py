"""This package has one file per claim, figure or table of the paper; each is a command of `python -m refimpl`."""
