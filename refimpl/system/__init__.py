"""Write files safely, lock folders, show progress, and find out how much memory and how many threads there are."""
