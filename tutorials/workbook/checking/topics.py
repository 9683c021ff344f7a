"""The files of the workbook in order, and the earlier files that each of them imports."""
from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

from checking import loading
from checking.loading import Problem


class Topic(NamedTuple):
    """Describes a file of the workbook.  `checks` is the module of this package that contains the file's tasks."""

    stem: str
    checks: str
    needs: tuple[int, ...] = ()

    @property
    def number(self) -> int:
        return int(self.stem[:2])


TOPICS = (
    Topic("01_gumbel_noise", "noise"), Topic("02_arg_max", "arg_max"), Topic("03_danskin", "danskin"),
    Topic("04_two_arg_maxes", "two_arg_maxes", (2,)), Topic("05_mean_and_variance", "moments", (2,)),
    Topic("06_layers", "layers"), Topic("07_bernoulli_score", "bernoulli"), Topic("08_kl", "kl"),
    Topic("09_adam", "adam"), Topic("10_encoder_decoder", "auto_encoder", (2, 6, 7, 8)),
    Topic("11_direct_step", "direct_step", (2, 4, 6, 7, 8, 9, 10)), Topic("12_flip_table", "flips"),
    Topic("13_matching", "matchings"))
RIGHT = "right"
STEMS = tuple(topic.stem for topic in TOPICS)


def tasks(topic: Topic) -> tuple:
    """Return a task for each function that the student has to write in this file."""
    return importlib.import_module(f"checking.{topic.checks}").TASKS


def loaded(folder: Path, topic: Topic):
    """Load the student's file and return its module."""
    return loading.load(folder, topic.stem, tuple(STEMS[number - 1] for number in topic.needs), STEMS)


def judge(folder: Path, topic: Topic) -> tuple[str, list[str]]:
    """Check a file in this process.  Return its state, which is RIGHT or another one, and lines for the student."""
    unwritten = []
    try:
        module = loaded(folder, topic)
        for task in tasks(topic):
            try:
                task.judge(module)
            except Problem as problem:
                if problem.state != loading.NOT_WRITTEN:
                    raise
                unwritten.append(f"`{task.name}`")
    except Problem as problem:
        return problem.state, list(problem.lines)
    return (f"{loading.NOT_WRITTEN}: {', '.join(unwritten)}" if unwritten else RIGHT), []
