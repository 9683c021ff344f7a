"""Show how much of a long task is done, and how much time is left.

Nothing is shown if sys.stderr is not a terminal.
"""
from __future__ import annotations

import sys
import time


class Progress:
    """Counts up to `total`, and writes the progress to sys.stderr at most ten times per second."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done = label, max(total, 1), 0
        self.shown = sys.stderr is not None and sys.stderr.isatty()
        self._start = time.monotonic()
        self._next = 0.0

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        now = time.monotonic()
        if not self.shown or (now < self._next and self.done < self.total):
            return
        self._next = now + 0.1
        seconds = (now - self._start) / self.done * (self.total - self.done)
        left = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
        sys.stderr.write(f"\r\x1b[K{self.label}: {100 * self.done / self.total:3.0f} %, {left} left")
        sys.stderr.flush()

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
