"""Test how the commit that made a file is determined."""
from __future__ import annotations

import subprocess

import pytest

from refimpl import __version__
from refimpl.system import commit


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return an empty folder that replaces this checkout."""
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    commit.commit.cache_clear()
    yield tmp_path
    commit.commit.cache_clear()


def git(folder, *words):
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=b", *words], check=True,
                   capture_output=True, text=True)


def test_commit_is_marked_dirty_after_a_file_has_changed(checkout):
    git(checkout, "init")
    (checkout / "file").write_text("one")
    git(checkout, "add", "file")
    git(checkout, "commit", "-m", "One")
    clean = commit.commit()
    assert len(clean) == 12 and int(clean, 16) >= 0
    commit.commit.cache_clear()
    (checkout / "file").write_text("two")
    assert commit.commit() == clean + "-dirty"


def test_git_variables_of_another_repository_are_ignored(checkout, tmp_path_factory, monkeypatch):
    """A git hook sets GIT_DIR for all programs that it starts."""
    other = tmp_path_factory.mktemp("other")
    for folder in (checkout, other):
        git(folder, "init")
        git(folder, "commit", "--allow-empty", "-m", folder.name)
    clean = commit.commit()
    commit.commit.cache_clear()
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert commit.commit() == clean


def test_version_is_returned_without_a_checkout_or_git(checkout, monkeypatch):
    assert commit.commit() == f"version {__version__}"
    commit.commit.cache_clear()
    (checkout / ".git").mkdir()
    assert commit.commit() == f"version {__version__}"          # an empty .git is not a repository
    commit.commit.cache_clear()
    monkeypatch.setenv("PATH", "")
    assert commit.commit() == f"version {__version__}"
