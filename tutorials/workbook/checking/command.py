"""The work of check.py: check each file in a separate process, print a few lines about it, and show the progress."""
from __future__ import annotations

import difflib
import shlex
import sys
from pathlib import Path

from checking import process, progress, topics
from checking.showing import plain
from checking.topics import RIGHT, TOPICS, Topic

TRAIN = "train"
TRAINING_SECONDS = 1_800.0            # enough also on a busy machine
CHECKS = [topics.tasks(topic) for topic in TOPICS]      # imported before the time of a process is measured
FOLDER_NAMES = {name: topic for topic in TOPICS for name in (topic.stem, topic.stem[3:])}
HERE = Path(__file__).resolve().parent.parent


class BadArgument(ValueError):
    """Raised if an argument is wrong.  The message is one line that says why."""


def run(what: list[str], folder: Path, seconds: float) -> int:
    """Check the files named in `what`, or everything.  Return 0 if all are right, and 1 otherwise.

    Raises BadArgument if an argument is wrong.
    """
    asked = [_asked(each) for each in what] or [*TOPICS, TRAIN]
    if not 0 < seconds < 1e6:
        raise BadArgument(f"--seconds must be a positive number, got {seconds:g}")
    if not folder.is_dir():
        raise BadArgument(f"--folder {folder} is not a folder")
    if not any((folder / f"{topic.stem}.py").exists() for topic in TOPICS):
        raise BadArgument(f"--folder {folder} has none of the files {TOPICS[0].stem}.py ... {TOPICS[-1].stem}.py")
    checked = Checked(folder, seconds)
    good = True
    for each in asked:
        if each == TRAIN:
            if not what and not good:
                continue                                    # the training comes last, and only if all files are right
            good &= checked.train()
        else:
            good &= checked.show(each)
    checked.finish()
    return 0 if good else 1


def _asked(word: str) -> Topic | str:
    """Return the file that `word` names, or TRAIN.  Raise BadArgument if there is no such file.

    A file can be named as 4, 04, 4.py, 04_two_arg_maxes, two_arg_maxes or tutorials/workbook/04_two_arg_maxes.py.
    """
    stem = Path(word).name.removesuffix(".py")
    if word == TRAIN:
        return TRAIN
    if stem in FOLDER_NAMES:
        return FOLDER_NAMES[stem]
    if stem.isdecimal() and 1 <= int(stem) <= len(TOPICS):
        return TOPICS[int(stem) - 1]
    near = difflib.get_close_matches(stem.lower(), [TRAIN, *FOLDER_NAMES], 1)
    meant = f".  Did you mean {near[0]}?" if near else ""
    raise BadArgument(f"{word!r} is none of the files: give a number from 1 to {len(TOPICS)}, a file's name, "
                      f"or {TRAIN}{meant}")


class Checked:
    """Checks files and keeps the results, so each file is checked only once."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds, self.answers = folder.resolve(), seconds, {}
        self.given = "" if self.folder == HERE else f" --folder {shlex.quote(str(folder))}"
        self.right = progress.read(self.folder)

    def answer(self, topic: Topic) -> tuple[str, list[str]]:
        """Return the state of a file, and lines about it for the student.  First check the files that it imports."""
        if topic.number not in self.answers:
            waits = [each for number in topic.needs if self.answer(each := TOPICS[number - 1])[0] != RIGHT]
            if waits:
                found = self.waiting(waits[0]), []
            else:
                found = process.run(topics.judge, (self.folder, topic), self.folder, self.seconds)
            self.answers[topic.number] = found
            (self.right.add if found[0] == RIGHT else self.right.discard)(topic.number)
        return self.answers[topic.number]

    def show(self, topic: Topic) -> bool:
        """Check a file, print the result, and return whether the file is right."""
        state, lines = self.answer(topic)
        say(f"{'✓' if state == RIGHT else '✗' if state == 'wrong' else '…'} {topic.stem}.py: {state}")
        for line in lines:
            say(f"      {line}")
        return state == RIGHT

    def train(self) -> bool:
        """Train with the student's functions, print the result, and return whether it is right."""
        waits = [topic for topic in TOPICS[:11] if self.answer(topic)[0] != RIGHT]
        if waits:
            say(f"… {TRAIN}: {self.waiting(waits[0])}")
            return False
        from checking import training

        say("  Now your own functions train a discrete auto-encoder on MNIST, in less than two minutes.")
        state, lines = process.run(training.check, (self.folder, sys.stdout.encoding), self.folder, TRAINING_SECONDS)
        say(f"{'✓' if state == RIGHT else '✗'} {TRAIN}: {state}")
        for line in lines:
            say(f"      {line}")
        return state == RIGHT

    def waiting(self, topic: Topic) -> str:
        """Return the state of a file that can only be checked once the file `topic` is right."""
        there = (self.folder / f"{topic.stem}.py").exists()
        return (f"waiting, because it uses your {topic.stem}.py, which is not "
                f"{'right yet' if there else 'in this folder'} (check.py {topic.number}{self.given})")

    def finish(self) -> None:
        """Print the progress, and store it."""
        progress.write(self.folder, self.right)
        say("")
        say(progress.bar(self.right))


def say(line: str) -> None:
    """Print a line.  Characters that standard output cannot write are replaced."""
    print(plain(line, sys.stdout.encoding), flush=True)
