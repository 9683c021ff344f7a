"""Pictures: one style and one palette, curves of runs, and what models draw."""
from refimpl.plots.style import (FURTHER, SOLVERS, TRUTH, chapter_style, colour, digest_of, drawn, line_style,
                                 new_figure, save)

__all__ = ["FURTHER", "SOLVERS", "TRUTH", "chapter_style", "colour", "digest_of", "drawn", "line_style", "new_figure",
           "save"]
