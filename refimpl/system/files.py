"""Files are written whole or not at all, and read without ever unpickling."""
from __future__ import annotations

import argparse
import contextlib
import io
import os
import stat
import warnings
import zipfile
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
    plain file; and what write() raises, if that is no OSError.  The temporary file is then taken away again.
    """
    path = Path(os.path.realpath(path))
    temporary = Path(f"{path}.tmp")
    for place in (path, temporary):                     # a pipe would wait for a reader, a link lead elsewhere
        if os.path.islink(place) or os.path.lexists(place) and not os.path.isfile(place):
            raise InputError(f"{place} cannot be written: it is not a plain file")
    try:
        with open(temporary, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException as problem:                    # write() may raise anything, and Ctrl-C comes at any moment
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(problem, OSError):
            raise InputError(f"{path} cannot be written: {problem.strerror or problem}") from None
        raise


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
    """The same of a file's content that has been read.  Raises InputError with the text `damaged`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")                  # numpy warns of headers that it would rather not see
            return _arrays(content)
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
    """
    arrays = {}
    archive = open_archive(content)
    for name in archive.namelist():
        stream = io.BytesIO(archive.read(name))
        array = np.lib.format.read_array(stream, allow_pickle=False)
        key = name.removesuffix(".npy")
        if stream.read(1) or key == name or key in arrays:
            raise ValueError(f"{name} is not one array")
        arrays[key] = array
    return arrays
