"""Files are written whole or not at all, and read without ever unpickling."""
from __future__ import annotations

import contextlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from refimpl.checks import InputError

try:
    import fcntl
except ImportError:                                 # not on Windows, where folders are then not locked
    fcntl = None


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Call write(stream) on a temporary file beside `path`, then put it in the place of `path` in one step.

    Whatever stops the program, and whenever, `path` holds the old content or the new one.  The temporary file's name
    is fixed, so that one left behind by a kill is written over by the next save and does not pile up.  A symbolic link
    stays one: what it points to is replaced.  Raises InputError, one line, if the file cannot be written or is no
    plain file.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(path.name + ".tmp")
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} cannot be written: it is not a plain file")
        with open(temporary, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as problem:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise InputError(f"{path} cannot be written: {problem.strerror or problem}") from None


def write_text(path: Path, text: str) -> None:
    """The same for a text, in UTF-8."""
    write_whole(path, lambda stream: stream.write(text.encode("utf-8")))


def output_folder(path: Path | str) -> Path:
    """Make the folder (and those above it) if it is not there; InputError if it is a file or cannot be written to."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"--out {path} is a file, or lies below one; it must be a folder") from None
    except OSError as problem:
        raise InputError(f"--out {path} cannot be made: {problem.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(f"--out {path} cannot be written to")
    return path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; InputError if another one does.  A killed process holds nothing."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{folder} is in use by another process that is training into it") from None
        yield
    finally:
        os.close(descriptor)


def read_arrays(path: Path, missing: str, damaged: str) -> dict[str, np.ndarray]:
    """All arrays of an .npz file, nothing unpickled.  Raises InputError, `path` and one of the two texts, if it is not
    there, or is truncated, damaged or something else altogether."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(f"{path} {missing}") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, NotImplementedError, RuntimeError,
            MemoryError, SyntaxError, zipfile.BadZipFile, zlib.error):
        raise InputError(f"{path} {damaged}") from None
