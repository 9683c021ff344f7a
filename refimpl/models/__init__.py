"""Models with an encoder, a family of latent variables and a decoder; their exact bounds; and a toy objective."""
