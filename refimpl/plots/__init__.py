"""Pictures: one style and one palette, curves of runs, what models draw, the walls of Theorem 1, the explorer."""
from refimpl.plots.style import (FORMATS, FURTHER, SOLVERS, TRUTH, chapter_style, colour, digest_of, figure_digest,
                                 format_of, line_style, may_fail, new_figure, own_settings, save)

__all__ = ["FORMATS", "FURTHER", "SOLVERS", "TRUTH", "chapter_style", "colour", "digest_of", "figure_digest",
           "format_of", "line_style", "may_fail", "new_figure", "own_settings", "save"]
