"""Build the notebooks from their sources, with outputs, and take one picture of each for the index.

    pip install jupytext nbconvert ipykernel        # only this program needs these packages
    python tutorials/build.py [NN ...] [appendix_a ...]
"""
from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
APPENDICES = sorted(FOLDER.glob("appendix_?_*.py"))
# the number of the picture that the index shows of each chapter
PICTURE = {"01": 0, "02": 0, "03": 1, "04": 3, "05": 0, "06": 1, "07": 1, "08": 0, "09": 0, "10": 1,
           "11": 2}


def build(source: Path) -> None:
    notebook = source.with_suffix(".ipynb")
    to_notebook = ["jupytext", "--quiet", "--to", "ipynb", "--set-kernel", "python3", "--output", notebook, source]
    run = ["nbconvert", "--log-level", "ERROR", "--to", "notebook", "--execute", "--inplace", notebook]
    for tool in (to_notebook, run):
        subprocess.run([sys.executable, "-m", *map(str, tool)], check=True)
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if "outputs" in cell:
            cell["outputs"] = joined(cell["outputs"])
    notebook.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    pictures = [output["data"]["image/png"] for cell in content["cells"] for output in cell.get("outputs", [])
                if "image/png" in output.get("data", {})]
    chapter = source.name[:2]
    if chapter in PICTURE:
        (FOLDER / "figures" / f"chapter-{chapter}.png").write_bytes(base64.b64decode(pictures[PICTURE[chapter]]))
    print(f"{notebook.name}: {notebook.stat().st_size / 1e3:.0f} kB, {len(pictures)} pictures")


def joined(outputs: list[dict]) -> list[dict]:
    """Join consecutive printed lines to one output, because the kernel may deliver them in several parts."""
    merged: list[dict] = []
    kind = lambda output: (output["output_type"], output.get("name"))
    for output in outputs:
        if merged and output["output_type"] == "stream" and kind(output) == kind(merged[-1]):
            merged[-1]["text"] += output["text"]
        else:
            merged.append(output)
    return merged


if __name__ == "__main__":
    for path in SOURCES + APPENDICES:
        if len(sys.argv) == 1 or path.name.startswith(tuple(sys.argv[1:])):
            build(path)
