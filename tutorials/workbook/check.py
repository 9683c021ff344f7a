"""Check the functions that you have written in the workbook.

Run `python check.py` for everything, `python check.py 4` for one file, or `python check.py train` for the training.
"""
from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]
sys.dont_write_bytecode = True
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")                        # for such small matrices, several threads would be slower

try:
    from checking import command
except ModuleNotFoundError as missing:
    print(f"error: {missing.name} is not found.  Run check.py in the folder tutorials/workbook of the clone, after "
          "`pip install -r requirements.txt`; give the folder of your own copy with --folder DIR.")
    raise SystemExit(2) from None
except KeyboardInterrupt:                                   # Ctrl-C
    raise SystemExit(130) from None


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the workbook: all files and then the training, or one.")
    parser.add_argument("what", nargs="*", help="numbers or names of files, or train (default: everything)")
    parser.add_argument("--folder", type=Path, default=HERE, help="your copy of the files (default: this folder)")
    parser.add_argument("--seconds", type=float, default=20.0, help="time limit for a file (default: 20)")
    given = parser.parse_args()
    try:
        return command.run(given.what, given.folder, given.seconds)
    except command.BadArgument as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:                               # Ctrl-C
        return 130


if __name__ == "__main__":                                  # a new process may import this file
    raise SystemExit(main())
