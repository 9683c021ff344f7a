"""What the package asks of the operating system: files written whole, folders locked, a progress line."""
