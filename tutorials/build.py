"""Build the notebooks from their sources, with outputs, and take one picture of each for the index.

    pip install jupytext nbconvert ipykernel        # for whoever maintains the tutorials; nothing else needs them
    python tutorials/build.py [NN ...]
"""
from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PICTURE = {"01": 1, "02": 1, "03": 0, "04": 2, "05": 0, "06": 1, "07": 0, "08": 0, "09": 0}     # a chapter's picture


def build(source: Path) -> None:
    notebook = source.with_suffix(".ipynb")
    to_notebook = ["jupytext", "--quiet", "--to", "ipynb", "--set-kernel", "python3", "--output", notebook, source]
    run = ["nbconvert", "--log-level", "ERROR", "--to", "notebook", "--execute", "--inplace", notebook]
    for tool in (to_notebook, run):
        subprocess.run([sys.executable, "-m", *map(str, tool)], check=True)
    content = json.loads(notebook.read_text(encoding="utf-8"))
    pictures = [output["data"]["image/png"] for cell in content["cells"] for output in cell.get("outputs", [])
                if "image/png" in output.get("data", {})]
    chapter = source.name[:2]
    (FOLDER / "figures" / f"chapter-{chapter}.png").write_bytes(base64.b64decode(pictures[PICTURE[chapter]]))
    print(f"{notebook.name}: {notebook.stat().st_size / 1e3:.0f} kB, {len(pictures)} pictures")


for path in sorted(FOLDER.glob("[0-9][0-9]_*.py")):
    if len(sys.argv) == 1 or path.name[:2] in sys.argv[1:]:
        build(path)
