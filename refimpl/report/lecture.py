"""tutorials/lecture/lecture.pdf, the pages of a lecture, whose content is in tutorials/lecture/*.py."""
from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from matplotlib.backends.backend_pdf import PdfPages

from refimpl.plots import own_settings
from refimpl.report.pages import ROOT
from refimpl.system.files import write_whole

PDF = "tutorials/lecture/lecture.pdf"


def pages() -> ModuleType:
    """tutorials/lecture/pages.py, which is no part of the package: PAGES, draw() and about(figures)."""
    sys.path.insert(0, str(ROOT / "tutorials"))
    try:
        return importlib.import_module("lecture.pages")
    finally:
        sys.path.pop(0)


@own_settings()
def write(path: Path = ROOT / PDF) -> None:
    """Draw all pages into one PDF.  No date is stored, so on one machine the same content gives the same bytes."""
    figures = pages().draw()

    def save(stream) -> None:
        with PdfPages(stream, metadata=pages().about(figures) | {"CreationDate": None}) as made:
            for figure in figures:
                made.savefig(figure)

    write_whole(path, save)
