"""Functions that use the operating system: complete writing of files, locks on folders, a progress line."""
