"""Files are written whole or not at all, and read without ever unpickling."""
from __future__ import annotations

import argparse
import contextlib
import glob
import io
import math
import os
import secrets
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from refimpl.arguments import InputError

try:
    import fcntl
except ImportError:                                 # not on Windows, where folders are then not locked
    fcntl = None


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Call write(stream) on a temporary file beside `path`, then put it in place of `path` in one step.

    Whatever stops the program, and whenever, `path` holds the old content or the new one.  Several processes may do
    this at once: each has a temporary file of its own, and the last one's content stays.  The next save removes what
    a killed process has left.  A symbolic link stays one: what it points to is replaced.  A file keeps its mode.
    Raises InputError, one line, if the file cannot be written or is no plain file; and what write() raises, if that is
    no OSError.  The temporary file is then removed.
    """
    path = Path(os.path.realpath(path))
    if os.path.islink(path) or os.path.lexists(path) and not os.path.isfile(path):      # a pipe would wait for a reader
        raise InputError(f"{path} cannot be written: it is not a plain file")
    temporary = None
    try:
        temporary, stream = _temporary(path)
        with stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
            if fcntl is None:                           # Windows replaces closed files only
                stream.close()
            os.replace(temporary, path)
    except BaseException as problem:                    # write() may raise anything, and Ctrl-C comes at any moment
        with contextlib.suppress(OSError, AttributeError):
            temporary.unlink()
        if isinstance(problem, OSError):
            raise InputError(f"{path} cannot be written: {problem.strerror or problem}") from None
        raise


def _temporary(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `path`, with the mode of `path`, opened and locked; unlocked ones, of the dead, are removed."""
    if fcntl is not None:
        for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
            with contextlib.suppress(OSError):
                descriptor = os.open(left, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
                with open(descriptor, "rb"):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if stat.S_ISREG(os.fstat(descriptor).st_mode):
                        left.unlink()
    while True:
        temporary = Path(f"{path}.{secrets.token_hex(4)}.tmp")
        stream = open(temporary, "xb")
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(stream, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(stream.fileno(), stat.S_IMODE(os.stat(path).st_mode))
        if temporary.exists():                          # another process may have removed it before it was locked
            return temporary, stream
        stream.close()


def write_text(path: Path, text: str) -> None:
    """The same for a text, in UTF-8."""
    write_whole(path, lambda stream: stream.write(text.encode("utf-8")))


class EmptyName(InputError, argparse.ArgumentTypeError):
    """A folder's name is empty; argparse prints the message of an ArgumentTypeError as it is."""


def folder_name(text: str) -> Path:
    """The folder of this name, not made yet: a `type` for argparse.  EmptyName, an InputError, if the text is empty.

    Path("") is the current folder, which somebody who writes `--out "$FOLDER"` with FOLDER unset did not mean.
    """
    if not text:
        raise EmptyName("must name a folder, got an empty name")
    return Path(text)


def output_folder(path: Path | str) -> Path:
    """Make the folder (and those above it) if it is not there.

    Raises InputError, one line, if it is a file, cannot be written to, or is the empty text.
    """
    if path == "":                                      # Path("") cannot be told from "." any more: see folder_name
        raise InputError("--out must name a folder, got an empty name")
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
    """Hold the folder for this process; InputError if another one does, or the file system knows no locks.

    A killed process holds nothing.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder} is in use by another process that writes into it") from None
        except OSError as problem:
            raise InputError(f"{folder} lies on a file system where folders cannot be locked "
                             f"({problem.strerror or problem}); choose a folder on another one") from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _readable(path: Path, missing: str) -> Iterator[None]:
    """What goes wrong at reading, in one line."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path} {missing}") from None
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror or problem}") from None


def file_stamp(path: Path, missing: str) -> tuple[int, ...]:
    """Numbers that are others once the content of this plain file, or who may read it, has been changed.

    Raises InputError as read_whole does.
    """
    with _readable(path, missing):
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path} cannot be read: it is not a plain file")
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_whole(path: Path, missing: str) -> bytes:
    """The content of a plain file.

    Raises InputError, one line: `path` and `missing` if it is not there; or that it is not a plain file, which is then
    not opened, as opening a pipe waits for a writer and reading a device may never end; or why it cannot be read.
    """
    file_stamp(path, missing)
    with _readable(path, missing), open(path, "rb") as stream:
        return stream.read()


def read_arrays(path: Path, missing: str, damaged: str) -> dict[str, np.ndarray]:
    """All arrays of an .npz file, nothing unpickled.

    Raises InputError, `path` and one of the two texts, if it is not there, or is truncated, damaged or something else
    altogether; and one line of its own where it cannot be read at all.
    """
    return arrays_in(read_whole(path, missing), f"{path} {damaged}")


def arrays_in(content: bytes, damaged: str) -> dict[str, np.ndarray]:
    """The same of a file's content that has been read.  Raises InputError with the text `damaged`, and MemoryError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")                  # numpy warns of headers that it would rather not see
            return _arrays(content)
    except MemoryError:                                     # which says nothing of the file
        raise
    except Exception:                                       # zipfile, zlib and numpy's header parser raise anything
        raise InputError(damaged) from None


def open_archive(content: bytes) -> zipfile.ZipFile:
    """The zip file of this content; zipfile.BadZipFile if it is none, or one of its members is not found.

    A flipped bit in the length of an entry's comment hides the entry behind it, and zipfile does not count them.  A
    member's checksum is looked at when it is read to its end, as `ZipFile.read` does.
    """
    archive = zipfile.ZipFile(io.BytesIO(content))
    count = len(content) - len(archive.comment) - 12        # its place in the end record, 22 bytes and a comment
    if int.from_bytes(content[count:count + 2], "little") != len(archive.namelist()) & 0xFFFF:
        raise zipfile.BadZipFile("the number of members is not what the end record says")
    return archive


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file's content; any exception at all if it is damaged.

    numpy.load looks at a checksum only when a member is read to its end, which it is not where a damaged header asks
    for less: here each member is read whole before anything in it is believed, and must hold its array and no more.
    Nothing is allocated because a header asks for it.
    """
    arrays = {}
    archive = open_archive(content)
    for name in archive.namelist():
        member = archive.read(name)
        stream = io.BytesIO(member)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, columns_first, dtype = read_header[np.lib.format.read_magic(stream)](stream)
        key, start = name.removesuffix(".npy"), stream.tell()
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(member) - start or key == name or key in arrays:
            raise ValueError(f"{name} is not one array")
        arrays[key] = np.ndarray(shape, dtype, member, start, order="F" if columns_first else "C")
    return arrays
