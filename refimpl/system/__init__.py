"""Write files safely, lock folders, show progress, and find the memory and the threads."""
