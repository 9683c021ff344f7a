"""Run Python programs in separate processes, without the second that a new interpreter spends on its imports.

A server is started when it is first needed, once per pytest process.  It imports NumPy, SciPy, Matplotlib and all of
refimpl, and does nothing else.  For each program it forks a child.  The child gets its own arguments, folder,
environment and streams and a fresh state of NumPy's global generator, and it ends as an interpreter does.

Variables that an interpreter reads only while it starts cannot be given to a child, so such an environment is refused.
Tests of the start itself (imports, closed streams, signals during the imports) start a real interpreter.
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
# Variables that are read when the server starts, before a child could change them.  A child does honour PYTHONPATH.
AT_START = ("PYTHON", "MPL", "OPENBLAS", "OMP", "MKL", "LC_", "LANG", "LD_")
SERVER: list[tuple[subprocess.Popen, dict[str, str]]] = []          # and the variables that it read


def python(*arguments, cwd: Path = ROOT, env: dict[str, str] | None = None, text: str = "",
           stdout: Path | None = None) -> subprocess.CompletedProcess:
    """Run `python *arguments` in the folder `cwd` and return its status, output and errors, as text.

    The arguments begin like those of the interpreter: "-m", module, or "-c", code, or the path of a program.  `env` is
    added to this process's environment, and `text` is the standard input.  The output goes to the file `stdout`, if
    given.
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
    """Return the variables that are read when the server starts, without PYTHONPATH, which a child does honour."""
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
    """Import what the programs import.  A warning from refimpl during the imports is an error, as in the tests."""
    import importlib
    import pkgutil
    import warnings

    import refimpl as package
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="refimpl")
        for module in pkgutil.walk_packages(package.__path__, "refimpl."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        import matplotlib.backends.backend_agg      # noqa: F401  (otherwise imported with the first figure)
        import matplotlib.pyplot                    # noqa: F401


def next_request() -> dict | None:
    """In a child, return the request that it must run.  In the server, return None after the last request."""
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
    np.random.seed()            # a new interpreter seeds it afresh, and a user's program may use it


def end(problem: BaseException | None) -> None:
    """End like an interpreter, but without unloading all imported modules, which would take half a second."""
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
