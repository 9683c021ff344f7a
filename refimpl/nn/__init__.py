"""Hand-written networks: layers, scores and penalties, Adam, and the difference check that keeps them honest."""
