"""Split a long pytest session between two processes, because one pytest uses only one of two cores.

After the collection, the session forks a second process, the helper, which has all collected tests.  A process claims a
test file by creating an empty file in a shared folder, and then runs it: the session from the front of the list, the
helper from the back.  The helper writes its reports as lines of JSON.  The session reads them as they arrive and passes
them on as its own.  Finally the session runs the tests that the helper claimed but did not report.
"""
from __future__ import annotations

import itertools
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

MANY = 300                      # tests; with fewer, a second process saves less than a few seconds
REPORTS = "reports.jsonl"


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Return True if all tests have been run here, or None to leave them to pytest's own loop."""
    option = session.config.option
    if (session.testsfailed or option.collectonly or option.usepdb or option.capture == "no" or option.basetemp
            or len(session.items) < MANY or (os.cpu_count() or 1) < 2 or not hasattr(os, "fork")):
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        helper = os.fork()
        if not helper:
            _help(session, folder)
        ended = False
        try:
            reader = _Reader(session, folder / REPORTS)
            own = []
            for items in _claimed(_by_file(session.items), folder):
                own += items
                _run(session, items)
                reader.read()
            while not ended:
                time.sleep(0.1)
                ended = os.waitpid(helper, os.WNOHANG)[0] == helper
                reader.read()
            done = {item.nodeid for item in own} | reader.done
            _run(session, [item for item in session.items if item.nodeid not in done])
        finally:
            if not ended:
                os.kill(helper, signal.SIGKILL)
                os.waitpid(helper, 0)
    return True


def _help(session: pytest.Session, folder: Path) -> None:
    """In the helper: run test files from the back of the list, and end the process without any output."""
    try:
        plugins = session.config.pluginmanager
        capture = plugins.getplugin("capturemanager")
        capture.stop_global_capturing()                         # its files are those of the session
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        capture.start_global_capturing()
        plugins.unregister(name="terminalreporter")
        plugins.register(_Writer(session.config, folder / REPORTS))
        for items in _claimed(reversed(_by_file(session.items)), folder):
            _run(session, items)
    finally:
        os._exit(0)                                             # what is still to be done is done by the session


def _by_file(items: Sequence[pytest.Item]) -> list[list[pytest.Item]]:
    return [list(group) for _, group in itertools.groupby(items, lambda item: item.nodeid.split("::")[0])]


def _claimed(groups: Iterable[list[pytest.Item]], folder: Path) -> Iterator[list[pytest.Item]]:
    """Claim test files one at a time, and yield the tests of each file that the other process has not claimed."""
    for items in groups:
        try:
            (folder / items[0].nodeid.split("::")[0].replace("/", "+")).touch(exist_ok=False)
        except FileExistsError:
            continue
        yield items


def _run(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Run the tests as pytest's own loop does."""
    for item, following in itertools.zip_longest(items, items[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        _stop_if_told(session)


def _stop_if_told(session: pytest.Session) -> None:
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


class _Writer:
    """In the helper: write every report as a line of JSON."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self.config, self.path = config, path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        content = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(content) + "\n")


class _Reader:
    """In the session: read the new lines and pass the reports on to the plugins that count and print them."""

    def __init__(self, session: pytest.Session, path: Path) -> None:
        self.session, self.path, self.place = session, path, 0
        self.done: set[str] = set()

    def read(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            stream.seek(self.place)
            for line in stream:
                if not line.endswith(b"\n"):                    # still being written
                    break
                self.place += len(line)
                self._pass_on(json.loads(line))

    def _pass_on(self, content: dict) -> None:
        config = self.session.config
        report = config.hook.pytest_report_from_serializable(config=config, data=content)
        if isinstance(report.longrepr, list):                   # of a skipped test; JSON turns its tuple into a list
            report.longrepr = tuple(report.longrepr)
        if report.when == "setup":
            config.hook.pytest_runtest_logstart(nodeid=report.nodeid, location=tuple(report.location))
        config.hook.pytest_runtest_logreport(report=report)
        if report.when == "teardown":
            config.hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=tuple(report.location))
            self.done.add(report.nodeid)
        _stop_if_told(self.session)
