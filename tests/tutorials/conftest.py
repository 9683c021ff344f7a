"""Make the packages of the tutorials importable, whatever the current folder is."""
from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tutorials"))
