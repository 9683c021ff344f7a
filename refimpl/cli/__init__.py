"""The command line, `python -m refimpl COMMAND`: its options, its commands, and its error messages.

Exit status: 0 if the command has finished; 1 if a claim of `verify` failed; 2 if the input cannot be used, with one
line that tells what is wrong, where, and what is allowed; 130 if it was stopped by Ctrl-C or `kill`.
"""
from __future__ import annotations

import contextlib
import os
import sys

from refimpl.arguments import InputError, one_line
from refimpl.cli.parser import make_parser


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    try:
        options = make_parser().parse_args(arguments)
    except KeyboardInterrupt:
        return 130
    for stream in (sys.stdout, sys.stderr):     # a terminal that knows no ± gets a question mark
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        try:
            os.getcwd()
        except FileNotFoundError:
            raise InputError("the current folder has been deleted; change to one that is there") from None
        status = options.run(options)
        if sys.stdout is not None:              # None where the program was started without one, as by >&-
            sys.stdout.flush()
        return status
    except InputError as problem:
        message, status = f"error: {problem}", 2
    except MemoryError:
        message, status = "error: there is not enough memory for this; use a smaller --k, --n, --hidden or --batch", 2
    except ImportError as problem:
        message, status = f"error: {problem}; `python -m pip install -r requirements.txt` installs what is needed", 2
    except UnicodeDecodeError as problem:       # this package decodes what it reads itself
        message, status = ("error: matplotlib cannot read its settings, a matplotlibrc in the current folder or where "
                           f"MATPLOTLIBRC or MPLCONFIGDIR says: {problem}"), 2
    except KeyboardInterrupt:
        message, status = f"stopped{options.after_stop}", 130
    except BrokenPipeError:                     # the reader of a pipe has gone, as with `| head`
        _discard_output()
        return 141
    except OSError as problem:                  # a path too long, a disk full, standard output closed
        place = f"{problem.filename}: " if problem.filename else ""
        message, status = f"error: {place}{problem.strerror or problem}", 2
        _discard_output()
    if sys.stderr is not None:
        print(f"{options.prog}: {one_line(message)}", file=sys.stderr)
    return status


def _discard_output() -> None:
    """Discard what is still in the buffer of standard output: it cannot be written, and must raise no further error."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
