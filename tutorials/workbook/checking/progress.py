"""Which of the files are right: remembered in the student's folder, for as long as a file stays as it was."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

from checking.topics import TOPICS, Topic

FILE = ".right.json"


def digest(folder: Path, topic: Topic) -> str:
    """Of the file and of the earlier ones that it imports."""
    found = hashlib.sha256()
    for number in (*topic.needs, topic.number):
        path = folder / f"{TOPICS[number - 1].stem}.py"
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def read(folder: Path) -> set[int]:
    """The numbers of the files that were found right and have not changed."""
    try:
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {topic.number for topic in TOPICS if kept.get(topic.stem) == digest(folder, topic)}
    except (OSError, ValueError, AttributeError):               # none yet, or damaged: then nothing is known
        return set()


def write(folder: Path, right: set[int]) -> None:
    """Remember these; a folder that cannot be written to is left alone."""
    kept = {topic.stem: digest(folder, topic) for topic in TOPICS if topic.number in right}
    try:
        (folder / FILE).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    except OSError:
        pass


def bar(right: set[int]) -> str:
    """One sign for each file."""
    signs = "".join("█" if topic.number in right else "░" for topic in TOPICS)
    return f"{signs}  {len(right)} of {len(TOPICS)} right"
