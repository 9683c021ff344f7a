"""Start the command line, `python -m refimpl`."""
import logging
import os
import signal
import sys
import threading

PROGRAM = "python -m refimpl"
UNTIL_STDIN_CLOSES = "REFIMPL_UNTIL_STDIN_CLOSES"       # set for the processes of `experiment --jobs`


def refuse(message):
    """Print the message to sys.stderr and exit with status 2."""
    if sys.stderr is not None:
        sys.stderr.write(PROGRAM + ": error: " + message + "\n")
    sys.exit(2)


def stop(number, frame):
    """Raise KeyboardInterrupt, which stops the command.  Python calls this function after Ctrl-C or `kill PID`.

    During an import, exit at once instead, because an interrupted import may raise a different exception, or none.
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
    """Stop this process when its standard input is closed, for example because the parent process has ended."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if sys.version_info < (3, 11):
    refuse("Python 3.11 or later is needed, and this is {}.{}".format(*sys.version_info[:2]))

# Pictures are written to files, whatever MPLBACKEND is set to.  Only `explore` opens a window.
if sys.argv[1:2] != ["explore"]:
    os.environ["MPLBACKEND"] = "agg"

logging.getLogger("matplotlib").setLevel(logging.ERROR)     # do not print messages about the font cache

signal.signal(signal.SIGTERM, stop)
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:       # false if the parent ignores SIGINT
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
