"""Models, each with an encoder, latent variables and a decoder; the exact bounds of the models; a toy objective."""
