"""Make every measured number and picture of the pages from the committed rows: `python -m refimpl make report`."""
