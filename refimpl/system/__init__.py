"""Define functions that use the operating system: they write files safely, lock folders and show progress."""
