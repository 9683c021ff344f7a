"""Files are written whole and read without unpickling, and a folder is locked by one process."""
from __future__ import annotations

import argparse
import contextlib
import errno
import os
import socket
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from refimpl.arguments import InputError
from refimpl.system import files


ROOT = Path(__file__).resolve().parent.parent.parent


def write(path, content=b"new"):
    files.write_whole(path, lambda stream: stream.write(content))


def make_special(path, kind: str) -> None:
    """Create something at this path that is not a plain file."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(path.parent):        # a long path is not allowed
            server.bind(path.name)


def test_file_has_the_old_or_new_content_and_no_temporary_file_remains(tmp_path):
    path = tmp_path / "file"
    write(path, b"old")
    write(path)
    assert path.read_bytes() == b"new" and [p.name for p in tmp_path.iterdir()] == ["file"]

    def fails(stream):
        stream.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_whole(path, fails)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), MemoryError(), OverflowError("no tick"), ValueError("?")])
def test_exception_of_the_writer_is_raised_and_no_temporary_file_remains(tmp_path, problem):
    path = tmp_path / "file"
    write(path, b"old")

    def fails(stream):
        stream.write(b"half")
        raise problem

    with pytest.raises(type(problem)) as raised:
        files.write_whole(path, fails)
    assert raised.value is problem
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_no_temporary_file_remains_if_the_disk_is_full(tmp_path):
    def fails(stream):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match="file cannot be written: No space left on device$"):
        files.write_whole(tmp_path / "file", fails)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "socket", "link"])
def test_existing_entries_with_temporary_names_are_left_alone(tmp_path, kind):
    """Opening a pipe would block, and writing through a link would overwrite another file."""
    (tmp_path / "other").write_bytes(b"other")
    for name in ("file.tmp", "file.0.tmp"):
        (tmp_path / name).symlink_to("other") if kind == "link" else make_special(tmp_path / name, kind)
    write(tmp_path / "file")
    assert (tmp_path / "other").read_bytes() == b"other" and (tmp_path / "file").read_bytes() == b"new"
    assert os.path.lexists(tmp_path / "file.tmp") and os.path.lexists(tmp_path / "file.0.tmp")


def test_save_removes_temporary_files_of_dead_processes_only(tmp_path):
    path = tmp_path / "file"
    (tmp_path / "file.dead.tmp").write_bytes(b"half")

    def meanwhile(stream):
        write(path, b"another's")
        stream.write(b"last")

    files.write_whole(path, meanwhile)
    assert path.read_bytes() == b"last" and [p.name for p in tmp_path.iterdir()] == ["file"]


WRITER = """
import sys
from pathlib import Path
from refimpl.system import files
for _ in range(60):
    files.write_whole(Path(sys.argv[1]), lambda stream: [stream.write(sys.argv[2].encode() * 10_000) for _ in range(5)])
"""


@pytest.mark.slow
def test_file_written_by_several_processes_is_always_whole(tmp_path):
    """A reader sees the content of one of them, never an empty, partial or mixed file."""
    path = tmp_path / "file"
    write(path, b"a" * 50_000)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter], cwd=ROOT, stderr=subprocess.PIPE)
               for letter in "bcd"]
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert len(content) == 50_000 and len(set(content)) == 1
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [(b"", 0)] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_file_keeps_its_mode(tmp_path):
    write(tmp_path / "new")
    (tmp_path / "plain").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o600)
    write(tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_link_stays_a_link(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_bytes() == b"new"


def test_write_rejects_pipes_and_folders(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match="not a plain file"):
            write(tmp_path / name)
    assert not (tmp_path / "pipe").is_file()
    with pytest.raises(InputError, match="not a plain file"):
        write(Path("/"))


def test_write_errors_have_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "none" / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(InputError) as problem:
            write(path)
        assert "\n" not in str(problem.value)


def test_folder_can_be_locked_only_once(tmp_path):
    with files.locked(tmp_path):
        with pytest.raises(InputError, match="in use"):
            with files.locked(tmp_path):
                pass
    with files.locked(tmp_path):
        pass


def test_file_system_without_locks_is_reported(tmp_path, monkeypatch):
    def flock(descriptor, how):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(files.fcntl, "flock", flock)
    with pytest.raises(InputError, match="a file system where folders cannot be locked .Operation not supported."):
        with files.locked(tmp_path):
            pass
    write(tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_empty_folder_name_is_rejected(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="^--out must name a folder, got an empty name$"):
        files.output_folder("")
    assert files.output_folder(".") == files.output_folder(Path(".")) == Path(".")
    assert files.output_folder("new/below").is_dir()

    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=files.folder_name)
    assert parser.parse_args(["--out", "."]).out == Path(".")
    with pytest.raises(SystemExit):
        parser.parse_args(["--out", ""])
    assert "argument --out: must name a folder, got an empty name\n" in capsys.readouterr().err
    with pytest.raises(argparse.ArgumentTypeError):
        files.folder_name("")


def test_read_arrays_reads_numbers_and_rejects_objects(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3))
    assert files.read_arrays(path, "m", "d")["x"].tolist() == [0, 1, 2]
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="a.npz d"):
        files.read_arrays(path, "m", "d")
    with pytest.raises(InputError, match="b.npz m"):
        files.read_arrays(tmp_path / "b.npz", "m", "d")


# --- damage ---------------------------------------------------------------------------------------------------------

def archive(path, save=np.savez) -> dict[str, np.ndarray]:
    """Save a small checkpoint.

    An entry with a name of 18 letters has 64 bytes in the central directory.  Therefore one flipped bit in the length
    of the comment before it makes zipfile take the entry for a comment.
    """
    arrays = {"values": np.arange(3, dtype=np.float32), "memory_18_long": np.array(["a", "bc"]), "step": np.array(7)}
    save(path, **arrays)
    return arrays


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    pairs = zip(left.values(), right.values())
    return list(left) == list(right) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


def outcome(path, whole) -> str:
    try:
        content = files.read_arrays(path, "m", "d")
    except InputError as problem:
        assert str(problem) == f"{path} d"
        return "refused"
    assert same(content, whole)
    return "the same"


def flips(path, whole, places, bits) -> dict[str, int]:
    """Flip bits of the file at these places, one at a time, and count the outcomes."""
    right = bytearray(path.read_bytes())
    outcomes = {"refused": 0, "the same": 0}
    for place in places:
        for flip in (1 << (place + step) % 8 for step in range(bits)):
            right[place] ^= flip
            path.write_bytes(right)
            outcomes[outcome(path, whole)] += 1
            right[place] ^= flip
    return outcomes


@pytest.mark.parametrize("save, bits", [(np.savez, 1), (np.savez_compressed, 1)])
def test_flipped_bit_is_rejected_or_has_no_effect(tmp_path, save, bits):
    """In each byte of the file, `bits` bits are flipped: headers of members and arrays, data, central directory."""
    path = tmp_path / "a.npz"
    whole = archive(path, save)
    outcomes = flips(path, whole, range(path.stat().st_size), bits)
    assert outcomes["refused"] > outcomes["the same"] > 0               # dates and attributes have no effect


def test_flipped_bit_in_the_header_of_a_long_array_is_rejected(tmp_path):
    """The array is longer than zipfile's buffer, so a header with too small a shape leaves the checksum unread."""
    path = tmp_path / "a.npz"
    whole = {"values": np.arange(3_000, dtype=np.float32)}
    np.savez(path, **whole)
    start, end = (path.read_bytes().index(text) for text in (b"\x93NUMPY", b"}"))
    assert flips(path, whole, range(start, end + 1), 8) == {"refused": 8 * (end + 1 - start), "the same": 0}
    assert flips(path, whole, range(end + 1, start + 128), 1) == {"refused": start + 127 - end, "the same": 0}  # blanks


def npy(header: str) -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


@pytest.mark.parametrize("members", [
    {"x.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }") + bytes(12)},       # four bytes too many
    {"x.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }") + bytes(4)},
    {"x.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }") + bytes(8)},       # numpy warns
    {"x.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,") + bytes(8)},            # tokenize.TokenError
    {"x.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 15 + ",), }")},    # MemoryError
    {"x.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }") + b"\x80\x04N."},
    {"x": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (), }") + bytes(4)},              # not an array's name
    {"x.npy": b"text"},
])
def test_valid_archives_with_invalid_members_are_rejected(tmp_path, members):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as created:
        for name, content in members.items():
            created.writestr(name, content)
    with pytest.raises(InputError, match="a.npz d$"):
        files.read_arrays(tmp_path / "a.npz", "m", "d")


def test_memory_error_is_not_reported_as_damage(tmp_path, monkeypatch):
    archive(tmp_path / "a.npz")

    def full(*arguments, **more):
        raise MemoryError

    monkeypatch.setattr(files.zipfile.ZipFile, "read", full)
    with pytest.raises(MemoryError):
        files.read_arrays(tmp_path / "a.npz", "m", "d")


# --- special files and unreadable files -----------------------------------------------------------------------------

def forbid_open(monkeypatch):
    def forbidden(*arguments, **more):
        raise AssertionError("opened")

    monkeypatch.setattr("builtins.open", forbidden)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "socket"])
def test_special_files_are_not_opened(tmp_path, monkeypatch, kind):
    make_special(tmp_path / "a.npz", kind)
    forbid_open(monkeypatch)
    with pytest.raises(InputError, match="a.npz cannot be read: it is not a plain file"):
        files.read_arrays(tmp_path / "a.npz", "m", "d")


def test_error_gives_the_reason_why_a_file_cannot_be_read(tmp_path, monkeypatch):
    archive(tmp_path / "a.npz")

    def denied(path, *arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", denied)
        with pytest.raises(InputError, match="a.npz cannot be read: Permission denied$"):
            files.read_arrays(tmp_path / "a.npz", "m", "d")
    with pytest.raises(InputError, match="below cannot be read: Not a directory$"):
        files.read_arrays(tmp_path / "a.npz" / "below", "m", "d")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_file_without_permissions_is_rejected(tmp_path):
    archive(tmp_path / "a.npz")
    (tmp_path / "a.npz").chmod(0)
    with pytest.raises(InputError, match="a.npz cannot be read: Permission denied$"):
        files.read_arrays(tmp_path / "a.npz", "m", "d")


def test_text_is_written_in_utf_8(tmp_path):
    files.write_text(tmp_path / "x", "5 ± 1 nats² – 漢\n")
    assert (tmp_path / "x").read_bytes() == "5 ± 1 nats² – 漢\n".encode("utf-8")


def test_folder_without_write_permission_is_rejected(tmp_path, monkeypatch):
    """os.access is replaced, because root may write anywhere."""
    for allowed in (os.R_OK, os.R_OK | os.W_OK, os.R_OK | os.X_OK):
        with monkeypatch.context() as patch:
            patch.setattr(os, "access", lambda path, mode, allowed=allowed: mode & ~allowed == 0)
            with pytest.raises(InputError, match=f"^--out {tmp_path} cannot be written to$"):
                files.output_folder(tmp_path)
    assert files.output_folder(tmp_path) == tmp_path
