"""The animations of the tutorials: looping GIFs, each with one frame as a PNG for print.  make.py writes them."""
