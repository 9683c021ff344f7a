"""The work of check.py: it checks each file in a process of its own, prints a few lines, and shows the progress."""
from __future__ import annotations

import difflib
import shlex
import sys
from pathlib import Path

from checking import process, progress, topics
from checking.showing import plain
from checking.topics import RIGHT, TOPICS, Topic

TRAIN = "train"
TRAINING_SECONDS = 1_800.0            # on a machine that is busy with other things
CHECKS = [topics.tasks(topic) for topic in TOPICS]      # imported here, before the clock of a process starts
FOLDER_NAMES = {name: topic for topic in TOPICS for name in (topic.stem, topic.stem[3:])}
HERE = Path(__file__).resolve().parent.parent


class BadArgument(ValueError):
    """An argument is wrong; the message is one line that says why."""


def run(what: list[str], folder: Path, seconds: float) -> int:
    """Check these files, or everything.  Returns 0 if all is right, and 1 otherwise.  Raises BadArgument."""
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
    """4, 04, 4.py, 04_two_arg_maxes, two_arg_maxes, tutorials/workbook/04_two_arg_maxes.py, or train."""
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
    """The results of this run.  Each file is judged once."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds, self.answers = folder.resolve(), seconds, {}
        self.given = "" if self.folder == HERE else f" --folder {shlex.quote(str(folder))}"
        self.right = progress.read(self.folder)

    def answer(self, topic: Topic) -> tuple[str, list[str]]:
        """The state of a file, and lines about it.  The files that it imports are judged first."""
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
        """Print the result, and return whether the file is right."""
        state, lines = self.answer(topic)
        say(f"{'✓' if state == RIGHT else '✗' if state == 'wrong' else '…'} {topic.stem}.py: {state}")
        for line in lines:
            say(f"      {line}")
        return state == RIGHT

    def train(self) -> bool:
        """Train, and print the result."""
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
        """The state of a file that cannot be checked before this one is right."""
        there = (self.folder / f"{topic.stem}.py").exists()
        return (f"waiting, because it uses your {topic.stem}.py, which is not "
                f"{'right yet' if there else 'in this folder'} (check.py {topic.number}{self.given})")

    def finish(self) -> None:
        """Print the progress, and store it."""
        progress.write(self.folder, self.right)
        say("")
        say(progress.bar(self.right))


def say(line: str) -> None:
    """Print with the characters that the stream can write."""
    print(plain(line, sys.stdout.encoding), flush=True)
