"""Test the progress line: its text, how often it is written, and that it is written only to a terminal."""
from __future__ import annotations

import io
import sys

import pytest

from refimpl.system import progress
from refimpl.system.progress import Progress

CLEAR = "\r\x1b[K"


class Terminal(io.StringIO):
    """A stream that may claim to be a terminal."""

    def __init__(self, terminal: bool = True) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def shown(self) -> list[str]:
        """Return the lines, each of which replaced the previous one."""
        return self.getvalue().split(CLEAR)[1:]


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Return a list with the current time, which a test may change."""
    now = [5000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def terminals(monkeypatch, out: bool, err: bool) -> tuple[Terminal, Terminal]:
    streams = Terminal(out), Terminal(err)
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    return streams


def test_line_shows_the_share_done_and_the_time_left(monkeypatch, clock):
    out, err = terminals(monkeypatch, True, True)
    line = Progress("epoch 2 of 3", 200)
    clock[0] += 10
    line.advance(50)                                        # 10 s for a quarter: 30 s for the rest
    clock[0] += 10
    line.advance(75)                                        # 20 s for 125: 12 s for the other 75
    assert err.shown() == ["epoch 2 of 3:  25 %, 30 s left", "epoch 2 of 3:  62 %, 12 s left"]
    line.clear()
    assert err.shown()[2:] == [""] and out.getvalue() == ""


@pytest.mark.parametrize("took, left", [(1, "89 s"), (2, "3 min"), (20, "30 min")])
def test_long_times_are_shown_in_minutes(monkeypatch, clock, took, left):
    _, err = terminals(monkeypatch, True, True)
    line = Progress("words", 90)
    clock[0] += took
    line.advance()
    assert err.shown() == [f"words:   1 %, {left} left"]


def test_line_is_written_ten_times_a_second_and_at_the_end(monkeypatch, clock):
    _, err = terminals(monkeypatch, True, True)
    line = Progress("words", 1_000)
    for _ in range(1_000):                                  # one second in total
        clock[0] += 0.001
        line.advance()
    assert 9 <= len(err.shown()) <= 12 and err.shown()[-1] == "words: 100 %, 0 s left"


@pytest.mark.parametrize("out", [True, False])
def test_line_is_written_to_standard_error_only_if_that_is_a_terminal(monkeypatch, clock, out):
    for err in (True, False):
        streams = terminals(monkeypatch, out, err)
        line = Progress("words", 3)
        line.advance()
        line.clear()
        assert streams[0].getvalue() == "" and bool(streams[1].getvalue()) == err
    monkeypatch.setattr(sys, "stderr", None)                # closed, as by 2>&-
    line = Progress("words", 0)
    line.advance()
    line.clear()
