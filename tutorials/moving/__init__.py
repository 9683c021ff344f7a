"""The moving pictures of the tutorials: GIFs that loop, each with a still PNG for print.  make.py makes them."""
