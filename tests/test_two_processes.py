"""In a session with two processes, the results of the helper are counted and printed like the session's own."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.two_processes import MANY

pytestmark = [pytest.mark.slow, pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")]
ROOT = Path(__file__).resolve().parent.parent
CONFTEST = """
import os

from tests.two_processes import pytest_runtestloop

os.environ["SESSION"] = str(os.getpid())
"""
FILE = """
import os, time
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_many(number):
    if not number:
        time.sleep(0.3)                                 # so that no process can run all files
    with open("{name}.log", "a") as stream:
        print(*["helper"] * (os.environ["SESSION"] != str(os.getpid())), "ran", number, file=stream)
"""


def run(folder: Path, *options: str, **more: str) -> tuple[int, str]:
    """Run four files of many tests, each followed by the text in `more` under its name."""
    (folder / "conftest.py").write_text(CONFTEST)
    for name in ("test_a", "test_b", "test_c", "test_d"):
        (folder / f"{name}.py").write_text(FILE.format(count=MANY // 4 + 1, name=name) + more.get(name, ""))
        (folder / f"{name}.log").unlink(missing_ok=True)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", *options], cwd=folder, text=True,
                          capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""})
    return done.returncode, done.stdout


def ran(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("*.log")) for line in path.read_text().split("\n") if line]


def test_every_test_runs_once_and_both_processes_run_some(tmp_path):
    status, out = run(tmp_path, test_d="""
@pytest.mark.skip(reason="left out on purpose")
def test_left_out(): pass

def test_fails(): assert 6 * 7 == 41, "planted"

@pytest.fixture
def broken(): raise RuntimeError("no such thing")

def test_is_not_begun(broken): pass
""")
    count = 4 * (MANY // 4 + 1)
    assert status == 1 and f"1 failed, {count} passed, 1 skipped, 1 error in" in out
    assert "planted" in out and "RuntimeError: no such thing" in out and "left out on purpose" in out
    lines = ran(tmp_path)
    assert len(lines) == count and {line.split()[0] for line in lines} == {"helper", "ran"}
    assert all(line.startswith("helper") for line in (tmp_path / "test_d.log").read_text().split("\n") if line)


def test_first_failure_ends_both_processes_with_option_x(tmp_path):
    status, out = run(tmp_path, "-x", test_d="\ndef test_fails(): assert 0")
    assert status == 1 and "stopping after 1 failures" in out


def test_session_runs_the_tests_that_a_dead_helper_left_undone(tmp_path):
    """The helper exits in the middle of its first file."""
    status, out = run(tmp_path, test_d="""
def test_end():
    if os.environ["SESSION"] != str(os.getpid()):
        os._exit(9)
""")
    assert status == 0 and f"{4 * (MANY // 4 + 1) + 1} passed" in out
    assert (tmp_path / "test_d.log").read_text().count("helper") == MANY // 4 + 1


def test_short_and_interactive_sessions_use_one_process(tmp_path):
    for options in (("test_a.py", "test_b.py"), ("--pdb",), ("-s",), ("--basetemp=t",), ("--collect-only",)):
        status, out = run(tmp_path, *options)
        assert status == 0 and not any(line.startswith("helper") for line in ran(tmp_path)), out
        assert re.search(r"\d+ (passed|tests collected)", out)
