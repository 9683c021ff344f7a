"""Write files completely or not at all, and read files without unpickling anything."""
from __future__ import annotations

import argparse
import contextlib
import csv
import glob
import io
import math
import os
import secrets
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from refimpl.arguments import InputError

try:
    import fcntl
except ImportError:                                 # on Windows, where folders are not locked
    fcntl = None


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Call write(stream) on a temporary file beside `path`, then replace `path` by it in one step.

    Whenever the program is stopped, `path` holds either the old or the new content.  Several processes may do this at
    the same time: each has its own temporary file, and the content of the last one stays.  The next save removes the
    temporary files of killed processes.  If `path` is a symbolic link, its target is replaced.  A file keeps its mode.
    Raises InputError if the file cannot be written or is not a plain file, and whatever write() raises unless it is an
    OSError.  The temporary file is then removed.
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
            if fcntl is None:                           # Windows replaces only closed files
                stream.close()
            os.replace(temporary, path)
    except BaseException as problem:                    # write() may raise anything, and Ctrl-C may come
        with contextlib.suppress(OSError, AttributeError):
            temporary.unlink()
        if isinstance(problem, OSError):
            raise InputError(f"{path} cannot be written: {problem.strerror or problem}") from None
        raise


def _temporary(path: Path) -> tuple[Path, BinaryIO]:
    """Open and lock a new file beside `path`, with the same mode; remove the unlocked ones of killed processes."""
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
    """Write a text in UTF-8, as write_whole does."""
    write_whole(path, lambda stream: stream.write(text.encode("utf-8")))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows, of which the first holds the names of the columns, as the text of a CSV file."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


class EmptyName(InputError, argparse.ArgumentTypeError):
    """Raised if a folder's name is empty; argparse prints the message of an ArgumentTypeError unchanged."""


def folder_name(text: str) -> Path:
    """Return the path of this name, as a `type` for argparse; raise EmptyName if the text is empty.

    Path("") would be the current folder, but `--out "$FOLDER"` with FOLDER unset is a mistake.
    """
    if not text:
        raise EmptyName("must name a folder, got an empty name")
    return Path(text)


def output_folder(path: Path | str) -> Path:
    """Make the folder, and those above it, if it does not exist.

    Raises InputError if it is a file, cannot be written to, or is the empty text.
    """
    if path == "":                                      # Path("") would be the same as ".": see folder_name
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
    """Lock the folder for this process; raise InputError if another process has locked it, or locks are not supported.

    The lock ends with the process.
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
    """Turn errors in reading into an InputError."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path} {missing}") from None
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror or problem}") from None


def file_stamp(path: Path, missing: str) -> tuple[int, ...]:
    """Return numbers that change if the content or the permissions of this plain file change.

    Raises InputError as read_whole does.
    """
    with _readable(path, missing):
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path} cannot be read: it is not a plain file")
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_whole(path: Path, missing: str) -> bytes:
    """Return the content of a plain file.

    Raises InputError: with `path` and `missing` if it does not exist, else with the reason why it cannot be read.
    Anything but a plain file is not opened, because opening a pipe or reading a device may never end.
    """
    file_stamp(path, missing)
    with _readable(path, missing), open(path, "rb") as stream:
        return stream.read()


def read_arrays(path: Path, missing: str, damaged: str) -> dict[str, np.ndarray]:
    """Return all arrays of an .npz file, without unpickling anything.

    Raises InputError: with `path` and `missing` if it does not exist, with `path` and `damaged` if it is truncated,
    damaged or another kind of file, and with the reason if it cannot be read at all.
    """
    return arrays_in(read_whole(path, missing), f"{path} {damaged}")


def arrays_in(content: bytes, damaged: str) -> dict[str, np.ndarray]:
    """Return all arrays in the content of an .npz file.  Raises InputError with the text `damaged`, or MemoryError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")                  # numpy warns about unusual headers
            return _arrays(content)
    except MemoryError:                                     # this does not mean that the file is damaged
        raise
    except Exception:                                       # zipfile, zlib and numpy's header parser raise anything
        raise InputError(damaged) from None


def open_archive(content: bytes) -> zipfile.ZipFile:
    """Return the zip file with this content; raise zipfile.BadZipFile if it is not one, or a member is not found.

    zipfile does not count the members, but a flipped bit in the length of an entry's comment hides the entry after it.
    A member's checksum is checked when it is read to its end, as `ZipFile.read` does.
    """
    archive = zipfile.ZipFile(io.BytesIO(content))
    count = len(content) - len(archive.comment) - 12        # its place in the end record: 22 bytes and a comment
    if int.from_bytes(content[count:count + 2], "little") != len(archive.namelist()) & 0xFFFF:
        raise zipfile.BadZipFile("the number of members is not what the end record says")
    return archive


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays in the content of an .npz file; raise any kind of exception if it is damaged.

    numpy.load checks a checksum only if a member is read to its end, which a damaged header can prevent.  Here each
    member is read completely before its header is used, and must contain exactly its array.  No memory is allocated
    because of a header.
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
