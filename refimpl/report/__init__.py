"""Compute the measured numbers of the pages and draw their pictures from the rows: `python -m refimpl make report`."""
