"""What is perturbed and arg-maxed: the families of latent variables, a file a family, and the solvers of their arg maxes."""
