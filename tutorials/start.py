"""Make the package importable, and set the style of the figures.  Every chapter begins with `import start`.

The package is taken from the clone that contains this file, whatever the working folder is.  If there is only this
folder and no clone, it is taken from PYTHONPATH.
"""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
if (CLONE / "refimpl").is_dir():
    sys.path.insert(0, str(CLONE))
elif importlib.util.find_spec("refimpl") is None:
    sys.exit("The chapters need the package: clone the whole repository, or set PYTHONPATH to it.")

from refimpl import plots

plots.chapter_style()
