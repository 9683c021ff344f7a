"""A program that runs as a child of the server behaves as in a new interpreter."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import spawn

PROGRAMS = {
    "as it should": "print('done')", "with a status": "import sys; sys.exit(3)",
    "with a word": "import sys; sys.exit('too bad')", "with an error": "print('begun'); raise KeyError('x')",
    "without ending": "import os; print('lost'); os._exit(4)", "by a signal": "import os; os.kill(os.getpid(), 9)",
    "with what it read": "import sys; print(sys.stdin.read()[::-1], sys.argv, __name__)",
    "with an error on its own stream": "import sys; print('one', file=sys.stderr)"}


@pytest.mark.parametrize("code", PROGRAMS.values(), ids=PROGRAMS)
def test_child_has_the_status_and_output_of_an_interpreter(code, tmp_path):
    real = subprocess.run([sys.executable, "-c", code, "a", "b"], input="given", cwd=tmp_path, capture_output=True,
                          text=True)
    child = spawn.python("-c", code, "a", "b", text="given", cwd=tmp_path)
    assert (child.returncode, child.stdout) == (real.returncode, real.stdout)
    assert child.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


def test_unwritable_output_gives_the_status_of_an_interpreter():
    real = subprocess.run(f"{sys.executable} -c 'print(1)' > /dev/full", shell=True, capture_output=True, text=True)
    child = spawn.python("-c", "print(1)", stdout=Path("/dev/full"))
    assert child.returncode == real.returncode != 0 and "No space left" in real.stderr
    assert child.stderr.splitlines()[-1] == real.stderr.splitlines()[-1]


def test_child_has_the_given_folder_environment_and_module_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HERE", "yes")
    (tmp_path / "beside.py").write_text("WORD = 'found'")
    (tmp_path / "program.py").write_text("import beside, os, sys\nassert __name__ == '__main__'\n"
                                         "print(beside.WORD, os.getcwd(), os.environ['HERE'], os.environ['MORE'],"
                                         " sys.argv, sys.path[1], 'tests' in sys.modules)")
    done = spawn.python(tmp_path / "program.py", "x", cwd=Path("/"), env={"MORE": "1", "PYTHONPATH": "/nowhere"})
    assert done.stdout == f"found / yes 1 {[str(tmp_path / 'program.py'), 'x']} /nowhere False\n", done.stderr
    assert "HERE" in os.environ and "MORE" not in os.environ


def test_children_do_not_share_state():
    code = ("import os, random, numpy, matplotlib.pyplot as plt; from refimpl import gumbel\n"
            "print(numpy.random.random(), random.random(), numpy.random.default_rng().random())\n"
            "print(plt.get_fignums(), os.environ.get('LEFT'), hasattr(gumbel, 'left'),"
            " plt.rcParams['lines.linewidth'])\n"
            "plt.figure(); os.environ['LEFT'] = '1'; gumbel.left = 1; plt.rcParams['lines.linewidth'] = 9")
    first, second = (spawn.python("-c", code).stdout.splitlines() for _ in range(2))
    assert not set(first[0].split()) & set(second[0].split()) and len(first[0].split()) == 3
    assert first[1] == second[1] == "[] None False 1.5"


def test_child_has_the_modules_of_this_clone_preloaded():
    code = "import sys, refimpl; print('refimpl.cli.commands' in sys.modules, refimpl.__file__)"
    assert spawn.python("-c", code).stdout == f"True {spawn.ROOT / 'refimpl' / '__init__.py'}\n"


@pytest.mark.parametrize("name", ["MPLBACKEND", "OPENBLAS_NUM_THREADS", "PYTHONIOENCODING"])
def test_variables_read_only_at_the_start_are_rejected(name):
    with pytest.raises(AssertionError, match=f"{name}.* read when an interpreter starts"):
        spawn.python("-c", "print(1)", env={name: "7"})
