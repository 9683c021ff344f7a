"""Draw all pictures: the curves of runs, images drawn by models, the walls of Theorem 1, and the explorer."""
from refimpl.plots.style import (FORMATS, FURTHER, SOLVERS, TEXT, TRUTH, chapter_style, colour, digest_of, entitle,
                                 figure_digest, format_of, line_style, may_fail, name_lines, new_figure, own_settings,
                                 save)

__all__ = ["FORMATS", "FURTHER", "SOLVERS", "TEXT", "TRUTH", "chapter_style", "colour", "digest_of", "entitle",
           "figure_digest", "format_of", "line_style", "may_fail", "name_lines", "new_figure", "own_settings", "save"]
