"""Helpers for tests of the workbook: a folder of correct solutions in which one file at a time is changed."""
from __future__ import annotations

import sys
from pathlib import Path

WORKBOOK = Path(__file__).resolve().parent.parent.parent / "tutorials" / "workbook"
SOLUTIONS = WORKBOOK / "solutions"
sys.path.insert(0, str(WORKBOOK))

from checking import topics                                                                     # noqa: E402

STEMS = topics.STEMS


def solution(stem: str) -> str:
    return (SOLUTIONS / f"{stem}.py").read_text(encoding="utf-8")


def folder_of(path: Path, **changed: str) -> Path:
    """Write all solutions to this folder; the text of a file can be replaced by _04_two_arg_maxes="text"."""
    for stem in STEMS:
        (path / f"{stem}.py").write_text(changed.get(f"_{stem}", solution(stem)), encoding="utf-8")
    return path


def edited(stem: str, old: str, new: str) -> str:
    """Return the solution with one piece of its code replaced."""
    text = solution(stem)
    begin = text.index('"""\n', 3)                              # after the docstring
    assert text.count(old, begin) == 1, f"{stem}: {old!r} occurs {text.count(old, begin)} times, not once"
    return text[:begin] + text[begin:].replace(old, new)


def judged(folder: Path, stem: str, text: str) -> tuple[str, str]:
    """Return the state and the text that the workbook prints for this file, without a new process."""
    before, path = list(sys.path), folder / f"{stem}.py"
    kept = path.read_text(encoding="utf-8")
    try:
        path.write_text(text, encoding="utf-8")
        state, lines = topics.judge(folder, topics.TOPICS[STEMS.index(stem)])
        return state, "\n".join(lines)
    finally:
        path.write_text(kept, encoding="utf-8")
        sys.path[:] = before
        for each in STEMS:
            sys.modules.pop(each, None)
