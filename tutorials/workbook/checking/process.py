"""Run a student's code in a separate process, and end the process if the code takes too long.

The process writes its result into a JSON file.  After the time limit, a watchdog of the standard library (faulthandler)
ends the process, even during a single call of NumPy, and records the line that was running.
"""
from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import multiprocessing
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from checking.showing import counted

START = 120.0                       # the number of seconds that starting a process may take on a busy machine
ANSWER, PLACE = "answer.json", "place.txt"
# A forked process need not import the modules again.  Forking is safe only on Linux; elsewhere a new Python is started.
CONTEXT = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


def run(work: Callable, arguments: tuple, folder: Path, seconds: float) -> tuple[str, list[str]]:
    """Call work(*arguments) in a separate process, and return its result: a state, and lines for the student.

    A result is returned even if the process crashes or takes too long.  `work` must be a top-level function, because
    a new interpreter has to import it.  `folder` is the student's folder.
    """
    with tempfile.TemporaryDirectory() as scratch:
        process = CONTEXT.Process(target=_child, args=(work, arguments, scratch, seconds), daemon=True)
        process.start()
        try:
            process.join(seconds + START)
        finally:
            endless = process.is_alive()
            if endless:
                process.kill()
                process.join()
        answer, place = Path(scratch, ANSWER), Path(scratch, PLACE)
        if answer.exists():
            state, lines = json.loads(answer.read_text(encoding="utf-8"))
            return state, lines
        written = place.read_text(encoding="utf-8", errors="replace") if place.exists() else ""
        if endless or written.startswith("Timeout"):
            return "wrong", [f"{_line(written, folder)}it had not ended after {counted(seconds, 'second')}.  Likely "
                             "slip: a loop whose condition never becomes false."]
        return "wrong", [f"its process ended without an answer (status {process.exitcode}): does the code end it "
                         "(os._exit, os.kill)?"]


def _child(work: Callable, arguments: tuple, scratch: str, seconds: float) -> None:
    said = io.StringIO()
    with open(Path(scratch, PLACE), "w", encoding="utf-8") as place:
        faulthandler.dump_traceback_later(seconds, exit=True, file=place)
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
                state, lines = work(*arguments)
            printed = said.getvalue().strip().splitlines()
        except BaseException as problem:                        # for example, the code has closed sys.stdout
            state, printed = "wrong", []
            lines = [f"it breaks the check ({type(problem).__name__}: {problem}).  Does the code change NumPy or sys?"]
        faulthandler.cancel_dump_traceback_later()
    if printed:
        more = f" and {counted(len(printed) - 1, 'more line')}" if len(printed) > 1 else ""
        lines = [*lines, f"(Your code prints: {printed[0][:60]!r}{more}.  Remove the print when you are done.)"]
    unfinished = Path(scratch, ANSWER + ".part")                # renamed when it is complete
    unfinished.write_text(json.dumps([state, lines]), encoding="utf-8")
    unfinished.rename(Path(scratch, ANSWER))
    os._exit(0)                                                 # do not wait for threads that the code has left behind


def _line(traceback: str, folder: Path) -> str:
    """Return the innermost line of the student's files in a traceback, such as "line 7 of 04_two_arg_maxes.py: "."""
    for path, number in re.findall(r'File "(.*)", line (\d+)', traceback):
        if Path(path).parent == folder:
            return f"line {number} of {Path(path).name}: "
    return ""
