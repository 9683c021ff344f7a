"""Pictures: one style and one palette, curves of runs, and what models draw."""
from refimpl.plots.style import (FORMATS, FURTHER, SOLVERS, TRUTH, chapter_style, colour, digest_of, drawn, format_of,
                                 line_style, new_figure, save)

__all__ = ["FORMATS", "FURTHER", "SOLVERS", "TRUTH", "chapter_style", "colour", "digest_of", "drawn", "format_of",
           "line_style", "new_figure", "save"]
