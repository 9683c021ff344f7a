"""Make the tables and pictures of the pages from the stored measurements: `python -m refimpl make report`."""
