"""Check the paper's claims and repeat its experiments."""
