"""Networks with handwritten gradients: layers, losses, Adam, and a check of gradients by differences."""
