"""Run the command line, `python -m refimpl COMMAND`.

The exit status is

    0    if the command has finished
    1    if a check failed, such as a claim of `verify`
    2    if the input cannot be used, or if another error occurs.  The error message names the reason
    130  if Ctrl-C or `kill` stopped the command
    141  if the program that reads the output has ended
"""
from __future__ import annotations

import contextlib
import os
import sys

from refimpl.arguments import InputError, one_line
from refimpl.cli.parser import make_parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command in `arguments`, or in the arguments of this process, and return the exit status."""
    try:
        options = make_parser().parse_args(arguments)
    except KeyboardInterrupt:
        return 130
    for stream in (sys.stdout, sys.stderr):     # "?" replaces ± if the terminal cannot show it
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        try:
            os.getcwd()
        except FileNotFoundError:
            raise InputError("the current folder has been deleted; change to one that exists") from None
        status = options.run(options)
        if sys.stdout is not None:              # it is None if the caller closed it, as >&- does
            sys.stdout.flush()
        return status
    except InputError as problem:
        message, status = f"error: {problem}", 2
    except MemoryError:
        message, status = "error: there is not enough memory for this; use a smaller --k, --n, --hidden or --batch", 2
    except ImportError as problem:
        message, status = f"error: {problem}; `python -m pip install -r requirements.txt` installs what is needed", 2
    except UnicodeDecodeError as problem:       # raised by matplotlib; this package handles its own
        message, status = ("error: matplotlib cannot read its settings, a matplotlibrc in the current folder or where "
                           f"MATPLOTLIBRC or MPLCONFIGDIR says: {problem}"), 2
    except KeyboardInterrupt:
        message, status = f"stopped{options.after_stop}", 130
    except BrokenPipeError:                     # the reader of the pipe has ended, as with `| head`
        _discard_output()
        return 141
    except OSError as problem:                  # such as a full disk, or a path that is too long
        place = f"{problem.filename}: " if problem.filename else ""
        message, status = f"error: {place}{problem.strerror or problem}", 2
        _discard_output()
    if sys.stderr is not None:
        print(f"{options.prog}: {one_line(message)}", file=sys.stderr)
    return status


def _discard_output() -> None:
    """Redirect standard output to the null device, so that Python cannot raise another error when it exits."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
