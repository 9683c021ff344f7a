"""`python -m refimpl`."""
import os
import sys

# Pictures go into files, whatever window system the user's other programs draw with.  `explore` alone opens a window.
if sys.argv[1:2] != ["explore"]:
    os.environ["MPLBACKEND"] = "agg"

try:                                        # importing NumPy and SciPy takes long enough to be stopped in
    from refimpl.cli import main
except KeyboardInterrupt:
    sys.exit(130)

sys.exit(main())
