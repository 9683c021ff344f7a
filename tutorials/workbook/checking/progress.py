"""Which files are right.  This is stored in the student's folder, and holds as long as a file does not change."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

from checking.topics import TOPICS, Topic

FILE = ".right.json"


def digest(folder: Path, topic: Topic) -> str:
    """A digest of the file and of the earlier files that it imports."""
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
    except (OSError, ValueError, AttributeError):               # there is none yet, or it is damaged
        return set()


def write(folder: Path, right: set[int]) -> None:
    """Store these numbers, if the folder can be written to."""
    kept = {topic.stem: digest(folder, topic) for topic in TOPICS if topic.number in right}
    try:
        (folder / FILE).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    except OSError:
        pass


def bar(right: set[int]) -> str:
    """The progress as text, with one sign for each file."""
    signs = "".join("█" if topic.number in right else "░" for topic in TOPICS)
    return f"{signs}  {len(right)} of {len(TOPICS)} right"
