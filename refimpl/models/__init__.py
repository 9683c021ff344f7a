"""Models with an encoder, latent variables and a decoder, their exact bounds, and a toy objective."""
