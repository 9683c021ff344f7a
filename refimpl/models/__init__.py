"""Models with an encoder, latent variables and a decoder.  A toy objective and the exact bounds are here too."""
