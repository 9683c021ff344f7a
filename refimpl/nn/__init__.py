"""Handwritten networks: layers, scores and penalties, Adam, and a gradient check by differences."""
