"""Models: encoder, latent variables, decoder, and their exact bounds."""
