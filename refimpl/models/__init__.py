"""Models: an encoder, a family of latent variables, a decoder whose passes are values; their exact bounds; a toy."""
