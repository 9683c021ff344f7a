"""Make tutorials/lecture/lecture.pdf, the pages of a lecture.  Their content is in tutorials/lecture/*.py."""
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
    """Return the module tutorials/lecture/pages.py.

    The module is not part of the package, so it is imported from its folder.
    """
    sys.path.insert(0, str(ROOT / "tutorials"))
    try:
        return importlib.import_module("lecture.pages")
    finally:
        sys.path.pop(0)


@own_settings()
def write(path: Path = ROOT / PDF) -> None:
    """Draw all pages into one PDF without a date, so that the same content gives the same bytes on one machine."""
    figures = pages().draw()

    def save(stream) -> None:
        with PdfPages(stream, metadata=pages().about(figures) | {"CreationDate": None}) as made:
            for figure in figures:
                made.savefig(figure)

    write_whole(path, save)
