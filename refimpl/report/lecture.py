"""tutorials/lecture/lecture.pdf, the pages of a lecture; what they say and show stands in tutorials/lecture/*.py."""
from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from refimpl.plots import figure_digest, own_settings
from refimpl.report.pages import ROOT
from refimpl.system.files import write_whole

PDF = "tutorials/lecture/lecture.pdf"


def pages() -> tuple[tuple[str, Callable[[Figure], None]], ...]:
    """(title, what draws its picture) of every page."""
    return _part("pages").PAGES


@own_settings()
def draw() -> list[Figure]:
    """All pages, in order."""
    figures = []
    for number, (title, picture) in enumerate(pages(), start=1):
        figures.append(_part("slide").new(title, number))
        picture(figures[-1])
    return figures


def write(path: Path = ROOT / PDF) -> None:
    """Draw all pages into one PDF.  On one machine the same content gives the same bytes: no date is kept.

    Its subject lists the titles, a line each, and its only keyword is content(figures).
    """
    figures = draw()
    about = {"Title": "Direct optimisation through arg max", "Subject": "\n".join(title for title, _ in pages()),
             "Keywords": content(figures), "CreationDate": None}

    def save(stream) -> None:
        with own_settings(), PdfPages(stream, metadata=about) as made:
            for figure in figures:
                made.savefig(figure)

    write_whole(path, save)


def content(figures: list[Figure]) -> str:
    """A digest of what the pages show, the same whichever version of matplotlib draws them."""
    return hashlib.sha256("".join(map(figure_digest, figures)).encode()).hexdigest()


def _part(name: str):
    """The module of this name in tutorials/lecture, which is no part of the package."""
    sys.path.insert(0, str(ROOT / "tutorials"))
    try:
        return importlib.import_module(f"lecture.{name}")
    finally:
        sys.path.pop(0)
