"""Models with an encoder, latent variables and a decoder.  Also their exact bounds, and a toy objective."""
