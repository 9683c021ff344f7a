"""Functions that use the operating system, for example to write files safely, lock folders and show progress."""
