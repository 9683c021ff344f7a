"""Store in the student's folder which files are right.  A file that has been changed counts as not right."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

from checking.topics import TOPICS, Topic

FILE = ".right.json"


def digest(folder: Path, topic: Topic) -> str:
    """Return a digest of the file and of the earlier files that it imports."""
    found = hashlib.sha256()
    for number in (*topic.needs, topic.number):
        path = folder / f"{TOPICS[number - 1].stem}.py"
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def read(folder: Path) -> set[int]:
    """Return the numbers of the files that were right when they were last checked and have not changed since."""
    try:
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {topic.number for topic in TOPICS if kept.get(topic.stem) == digest(folder, topic)}
    except (OSError, ValueError, AttributeError):               # the stored file does not exist yet, or is damaged
        return set()


def write(folder: Path, right: set[int]) -> None:
    """Store the numbers of the right files, if the folder can be written to."""
    kept = {topic.stem: digest(folder, topic) for topic in TOPICS if topic.number in right}
    try:
        (folder / FILE).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    except OSError:
        pass


def bar(right: set[int]) -> str:
    """Return the progress as text, with one character for each file."""
    signs = "".join("█" if topic.number in right else "░" for topic in TOPICS)
    return f"{signs}  {len(right)} of {len(TOPICS)} right"
