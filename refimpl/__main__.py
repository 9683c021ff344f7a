"""`python -m refimpl`."""
import logging
import os
import signal
import sys
import threading

PROGRAM = "python -m refimpl"
UNTIL_STDIN_CLOSES = "REFIMPL_UNTIL_STDIN_CLOSES"       # set for the processes of `experiment --jobs`


def refuse(message):
    """Print the line, if anybody can read it, and end with status 2."""
    if sys.stderr is not None:
        sys.stderr.write(PROGRAM + ": error: " + message + "\n")
    sys.exit(2)


def stop(number, frame):
    """Ctrl-C and `kill PID`: the runs that a command started end with it, and a line says how to go on.

    An import that is interrupted may raise anything, or lose the interrupt; the process then ends at once.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            try:
                os.write(2, (PROGRAM + ": stopped\n").encode())
            finally:
                os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt


def end_with_the_parent():
    """Wait for the other end of standard input to be closed, which the system does when the parent dies, then stop."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if sys.version_info < (3, 11):
    refuse("Python 3.11 or later is needed, and this is {}.{}".format(*sys.version_info[:2]))

# Pictures go into files, whatever window system the user's other programs draw with.  `explore` alone opens a window.
if sys.argv[1:2] != ["explore"]:
    os.environ["MPLBACKEND"] = "agg"

logging.getLogger("matplotlib").setLevel(logging.ERROR)     # where it keeps its cache is nothing for a user of ours

signal.signal(signal.SIGTERM, stop)
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:       # not where the parent had it ignored
    signal.signal(signal.SIGINT, stop)
if os.environ.pop(UNTIL_STDIN_CLOSES, None):
    threading.Thread(target=end_with_the_parent, daemon=True).start()

try:
    from refimpl.cli import main
except KeyboardInterrupt:
    sys.exit(130)
except ImportError as problem:
    refuse("{}; `python -m pip install -r requirements.txt` installs what is needed".format(problem))

sys.exit(main())
