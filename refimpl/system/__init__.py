"""Write files safely, lock folders, show progress, and find the memory limit, the number of threads and the commit."""
