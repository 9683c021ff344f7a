"""Make tutorials/lecture/lecture.pdf from the pages that the files tutorials/lecture/*.py define."""
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
    """Import and return the module tutorials/lecture/pages.py, which is not part of the package."""
    sys.path.insert(0, str(ROOT / "tutorials"))
    try:
        return importlib.import_module("lecture.pages")
    finally:
        sys.path.pop(0)


@own_settings()
def write(path: Path = ROOT / PDF) -> None:
    """Write all pages into one PDF without a date.  On one machine, the same pages give the same bytes."""
    figures = pages().draw()

    def save(stream) -> None:
        with PdfPages(stream, metadata=pages().about(figures) | {"CreationDate": None}) as made:
            for figure in figures:
                made.savefig(figure)

    write_whole(path, save)
