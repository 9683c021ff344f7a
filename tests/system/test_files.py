"""Files written whole, read without unpickling, folders held by one process."""
from __future__ import annotations

import os

import numpy as np
import pytest

from refimpl.checks import InputError
from refimpl.system import files


def write(path, content=b"new"):
    files.write_whole(path, lambda stream: stream.write(content))


def test_old_or_new_and_nothing_left_over(tmp_path):
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


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_bytes() == b"new"


def test_what_is_no_plain_file_is_left_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match="not a plain file"):
            write(tmp_path / name)
    assert not (tmp_path / "pipe").is_file()


def test_every_failure_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "blocked.tmp").mkdir()
    for path in (tmp_path / "none" / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300), tmp_path / "blocked"):
        with pytest.raises(InputError) as problem:
            write(path)
        assert "\n" not in str(problem.value)


def test_a_folder_is_held_by_one(tmp_path):
    with files.locked(tmp_path):
        with pytest.raises(InputError, match="in use"):
            with files.locked(tmp_path):
                pass
    with files.locked(tmp_path):
        pass


def test_arrays_are_read_and_objects_are_not(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3))
    assert files.read_arrays(path, "m", "d")["x"].tolist() == [0, 1, 2]
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="a.npz d"):
        files.read_arrays(path, "m", "d")
    with pytest.raises(InputError, match="b.npz m"):
        files.read_arrays(tmp_path / "b.npz", "m", "d")
