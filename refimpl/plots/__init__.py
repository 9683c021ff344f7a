"""Pictures: one style and one palette, curves of runs, what models draw, the walls of Theorem 1, the explorer."""
from refimpl.plots.style import (FORMATS, FURTHER, SOLVERS, TRUTH, chapter_style, colour, digest_of, drawn, format_of,
                                 line_style, new_figure, save)

__all__ = ["FORMATS", "FURTHER", "SOLVERS", "TRUTH", "chapter_style", "colour", "digest_of", "drawn", "format_of",
           "line_style", "new_figure", "save"]
