"""What is perturbed and arg-maxed: the families of latent variables, a file a family, and their arg maxes' solvers."""
