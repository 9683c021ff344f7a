"""`python -m refimpl`."""
import os
import signal
import sys

# Pictures go into files, whatever window system the user's other programs draw with.  `explore` alone opens a window.
if sys.argv[1:2] != ["explore"]:
    os.environ["MPLBACKEND"] = "agg"

# `kill PID` ends a command as Ctrl-C does: the runs that it started end with it, and a line says how to go on.
signal.signal(signal.SIGTERM, signal.default_int_handler)

try:                                        # importing NumPy and SciPy takes long enough to be stopped in
    from refimpl.cli import main
except KeyboardInterrupt:
    sys.exit(130)

sys.exit(main())
