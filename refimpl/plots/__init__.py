"""Pictures: one style and one palette, curves of runs, and what models draw."""
from refimpl.plots.style import FURTHER, TRUTH, chapter_style, colour, new_figure, save

__all__ = ["FURTHER", "TRUTH", "chapter_style", "colour", "new_figure", "save"]
