"""`python -m refimpl`."""
import sys

try:                                        # importing NumPy and SciPy takes long enough to be stopped in
    from refimpl.cli import main
except KeyboardInterrupt:
    sys.exit(130)

sys.exit(main())
