"""Every measured number and picture of the pages, made from the committed rows: `python -m refimpl make report`."""
