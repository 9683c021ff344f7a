"""Python programs run as processes of their own, without the second that a new interpreter spends on its imports.

A server, one for each session of tests and started when it is first needed, has imported NumPy, SciPy, Matplotlib and
all of refimpl, and has done nothing else.  For each program it forks a child, which gets its own arguments, folder,
environment and streams, a fresh state of NumPy's global generator, and ends as an interpreter ends.

What an interpreter reads only while it starts cannot be given to a child: such an environment is refused here.  Tests
of the start itself (what is imported, closed streams, signals before the imports are done) start a real interpreter.
"""
from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Variables that are read before a child could change them.  PYTHONPATH is honoured.
AT_START = ("PYTHON", "MPL", "OPENBLAS", "OMP", "MKL", "LC_", "LANG", "LD_")
SERVER: list[tuple[subprocess.Popen, dict[str, str]]] = []          # and what is read at its start


def python(*arguments, cwd: Path = ROOT, env: dict[str, str] | None = None, text: str = "",
           stdout: Path | None = None) -> subprocess.CompletedProcess:
    """`python *arguments` in the folder `cwd`: its status, output and errors, as text.

    The arguments begin as those of the interpreter: "-m", module, or "-c", code, or the path of a program.  `env` is
    added to this process's environment, `text` is what the program reads; it writes into the file `stdout`, if given.
    """
    server, there = _server()
    environment = {**os.environ, "MPLBACKEND": "agg", **(env or {})}
    changed = [name for name in there | at_start(environment) if there.get(name) != environment.get(name)]
    assert not changed, f"{changed} are read when an interpreter starts: start a real one with them"
    with tempfile.TemporaryDirectory() as folder:
        given, out, err = (Path(folder, name) for name in ("given", "out", "err"))
        given.write_text(text, encoding="utf-8")
        request = {"arguments": [str(argument) for argument in arguments], "cwd": str(cwd), "environment": environment,
                   "streams": [str(given), str(stdout or out), str(err)]}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, "the server of tests/spawn.py has ended"
        return subprocess.CompletedProcess(request["arguments"], json.loads(answer),
                                           "" if stdout else out.read_text(encoding="utf-8"),
                                           err.read_text(encoding="utf-8"))


def refimpl(*arguments, **more) -> subprocess.CompletedProcess:
    """Run `python -m refimpl *arguments`."""
    return python("-m", "refimpl", *arguments, **more)


def at_start(environment: dict[str, str]) -> dict[str, str]:
    """The variables that are read before a child could change them; PYTHONPATH is honoured all the same."""
    return {name: value for name, value in environment.items() if name.startswith(AT_START) and name != "PYTHONPATH"}


def _server() -> tuple[subprocess.Popen, dict[str, str]]:
    if not SERVER:
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests import spawn; exec(spawn.CHILD)"
        environment = {**os.environ, "MPLBACKEND": "agg"}
        server = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, env=environment)
        SERVER.append((server, at_start(environment)))
        atexit.register(_stop, server)
    return SERVER[0]


def _stop(server: subprocess.Popen) -> None:
    server.stdin.close()
    server.wait()


# --- in the server ----------------------------------------------------------------------------------------------------

def preload() -> None:
    """Import what the programs import; a warning of ours while it is imported is an error here as anywhere."""
    import importlib
    import pkgutil
    import warnings

    import refimpl as package
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="refimpl")
        for module in pkgutil.walk_packages(package.__path__, "refimpl."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        import matplotlib.backends.backend_agg      # noqa: F401  (by itself it is imported with the first figure)
        import matplotlib.pyplot                    # noqa: F401


def next_request() -> dict | None:
    """Return in a child what it must run; in the server return None when there are no more requests."""
    questions, answers = os.dup(0), os.dup(1)
    while True:
        line = b""
        while not line.endswith(b"\n"):
            line += (more := os.read(questions, 1 << 16))
            if not more:
                return None
        child = os.fork()
        if child == 0:
            os.close(questions)
            os.close(answers)
            request = json.loads(line)
            become(request)
            return request
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def become(request: dict) -> None:
    """Set the streams, the working folder, the environment, the arguments and the module search path of a program."""
    import numpy as np

    for place, (path, mode) in enumerate(zip(request["streams"], (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY))):
        opened = os.open(path, mode | (os.O_CREAT if place else 0), 0o600)
        os.dup2(opened, place)
        os.close(opened)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    first, *rest = request["arguments"]
    searched = [path for path in request["environment"].get("PYTHONPATH", "").split(os.pathsep) if path]
    home = {"-m": os.getcwd(), "-c": ""}.get(first, str(Path(first).absolute().parent))
    sys.path[:] = [home, *searched, *(path for path in sys.path if path not in ("", str(ROOT)))]
    sys.argv[:] = [first, *rest] if first not in ("-m", "-c") else [first, *rest[1:]]
    np.random.seed()            # a program of a user's own may draw from it: a new interpreter starts anew


def end(problem: BaseException | None) -> None:
    """End as an interpreter does, but at once, because unloading all imported modules would take half a second."""
    status = 0
    if isinstance(problem, SystemExit):
        status = problem.code if isinstance(problem.code, int) else int(problem.code is not None)
        if not isinstance(problem.code, int | None):
            print(problem.code, file=sys.stderr)
    elif problem is not None:
        sys.excepthook(type(problem), problem, problem.__traceback__)
        status = 130 if isinstance(problem, KeyboardInterrupt) else 1
    threading._shutdown()                                   # waits for threads, as an interpreter does
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError as unwritten:
        print(f"{type(unwritten).__name__}: {unwritten}", file=sys.stderr)
        status = 120
    sys.stderr.flush()
    os._exit(status & 255)


CHILD = """
import runpy
spawn.preload()
request = spawn.next_request()
if request:
    del sys.modules["tests.spawn"], sys.modules["tests"]
    first, *rest = request["arguments"]
    try:
        if first == "-m":
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif first == "-c":
            import types
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), main.__dict__)
        else:
            runpy.run_path(first, run_name="__main__")
    except BaseException as problem:
        spawn.end(problem)
    spawn.end(None)
"""
