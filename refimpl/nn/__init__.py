"""Layers, losses and networks with handwritten gradients.  This package also contains Adam and a gradient check."""
