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
except ImportError:                                 # Windows has no fcntl; folders are not locked there
    fcntl = None


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file completely or not at all.

    write(stream) writes a temporary file in the folder of `path`.  This file then replaces `path` in one step.  If the
    program is stopped before this step, `path` keeps its old content.  If a process is killed, its temporary file stays
    until the next call for this `path`.  If several processes write the same `path` at the same time, the last process
    to finish determines the content.  If `path` is a symbolic link, these rules apply to its target.  An existing file
    keeps its permissions.  On Windows, permissions are not kept, and the temporary files of killed processes stay.

    Raises InputError if the file cannot be written or is not a plain file.  If write() raises an exception other than
    OSError, this exception is raised unchanged.
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
            if fcntl is None:                           # Windows cannot rename an open file
                stream.close()
            os.replace(temporary, path)
    except BaseException as problem:                    # any exception of write(), or Ctrl-C
        with contextlib.suppress(OSError, AttributeError):
            temporary.unlink()
        if isinstance(problem, OSError):
            raise InputError(f"{path} cannot be written: {problem.strerror or problem}") from None
        raise


def _temporary(path: Path) -> tuple[Path, BinaryIO]:
    """Return the path and the stream of a new, locked temporary file with the permissions of `path`.

    Earlier temporary files that are not locked were left by killed processes.  They are removed.
    """
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
        if temporary.exists():                          # else another process removed it before it was locked
            return temporary, stream
        stream.close()


def write_text(path: Path, text: str) -> None:
    write_whole(path, lambda stream: stream.write(text.encode("utf-8")))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def folder_name(text: str) -> Path:
    """Return `text` as a path for argparse; raise ArgumentTypeError if `text` is empty.

    An empty name is probably a mistake: in `--out "$FOLDER"`, for example, the variable FOLDER is perhaps unset.
    """
    if not text:
        raise argparse.ArgumentTypeError("must name a folder, got an empty name")
    return Path(text)


def output_folder(path: Path | str) -> Path:
    """Make the folder `path` and its parents if they do not exist, and return the path.

    Raises InputError if `path` is the empty string or a file, or if the folder cannot be created or written to.
    """
    if path == "":                                      # Path("") would be ".": see folder_name
        raise InputError("--out must name a folder, got an empty name")
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"--out {path} is a file, or lies below one; it must be a folder") from None
    except OSError as problem:
        raise InputError(f"--out {path} cannot be created: {problem.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(f"--out {path} cannot be written to")
    return path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder while a `with` block runs.  If the process is killed, the lock ends.

    Raises InputError if another process has locked the folder, or if the file system does not support locks.
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
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path} {missing}") from None
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror or problem}") from None


def file_stamp(path: Path, missing: str) -> tuple[int, ...]:
    """Return numbers that change if a plain file or its permissions change.

    Raises InputError under the same conditions as read_whole.
    """
    with _readable(path, missing):
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path} cannot be read: it is not a plain file")
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_whole(path: Path, missing: str) -> bytes:
    """Return the content of a plain file.

    Raises InputError if the file cannot be read.  If the file does not exist, the message is `path` followed by
    `missing`.  A pipe or a device is never opened, because reading from it may never end.
    """
    file_stamp(path, missing)
    with _readable(path, missing), open(path, "rb") as stream:
        return stream.read()


def read_arrays(path: Path, missing: str, damaged: str) -> dict[str, np.ndarray]:
    """Return all arrays of an .npz file, without unpickling anything.

    Raises InputError as read_whole does.  If the file is not a complete .npz file, the message is `path` followed by
    `damaged`.
    """
    return arrays_in(read_whole(path, missing), f"{path} {damaged}")


def arrays_in(content: bytes, damaged: str) -> dict[str, np.ndarray]:
    """Return all arrays in the bytes of an .npz file.  Raise InputError(damaged) if they cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")                  # NumPy warns about unusual headers
            return _arrays(content)
    except MemoryError:                                     # this does not mean that the file is damaged
        raise
    except Exception:                                       # zipfile, zlib and NumPy raise many exceptions
        raise InputError(damaged) from None


def open_archive(content: bytes) -> zipfile.ZipFile:
    """Return `content` as a ZipFile, or raise zipfile.BadZipFile if `content` is damaged.

    One wrong bit can hide a member from zipfile.  So the number of members must be the number in the end record.
    """
    archive = zipfile.ZipFile(io.BytesIO(content))
    count = len(content) - len(archive.comment) - 12        # position in the end record (22 bytes + comment)
    if int.from_bytes(content[count:count + 2], "little") != len(archive.namelist()) & 0xFFFF:
        raise zipfile.BadZipFile("the number of members is not what the end record says")
    return archive


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    arrays = {}
    archive = open_archive(content)
    for name in archive.namelist():
        member = archive.read(name)         # all of it: only after the last byte does zipfile compare the checksum
        stream = io.BytesIO(member)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, columns_first, dtype = read_header[np.lib.format.read_magic(stream)](stream)
        key, start = name.removesuffix(".npy"), stream.tell()
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(member) - start or key == name or key in arrays:
            raise ValueError(f"{name} is not one array")
        # This uses the memory of `member`, so a wrong size in the header cannot allocate memory.
        arrays[key] = np.ndarray(shape, dtype, member, start, order="F" if columns_first else "C")
    return arrays
