"""Write files safely, lock folders and show progress.  Find the memory limit, number of threads and git commit."""
