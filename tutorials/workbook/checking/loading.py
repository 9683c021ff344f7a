"""Load and call what a student wrote; whatever goes wrong is said in a line or two, with the student's own line."""
from __future__ import annotations

import ast
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

NOT_WRITTEN, WRONG = "not written yet", "wrong"


class Problem(Exception):
    """What is wrong, in lines for the student.  state: NOT_WRITTEN or WRONG."""

    def __init__(self, *lines: str, state: str = WRONG) -> None:
        super().__init__(*lines)
        self.lines, self.state = lines, state


def load(folder: Path, stem: str, needs: tuple[str, ...], stems: tuple[str, ...]) -> ModuleType:
    """The student's file as a module, after the earlier files that it imports.

    The text is compiled here, because a cached .pyc may be older than the file.  `stems` are the names of all files.
    """
    sys.path[:] = [str(folder), *(path for path in sys.path if path != str(folder))]
    for each in stems:
        sys.modules.pop(each, None)
    for each in (*needs, stem):
        path = folder / f"{each}.py"
        try:
            source = path.read_bytes()
        except OSError as problem:
            raise Problem(f"{path} cannot be read: {problem.strerror}.") from None
        module = ModuleType(each)
        module.__file__ = str(path)
        sys.modules[each] = module
        with np.errstate(all="ignore"):
            try:
                exec(compile(source, str(path), "exec"), module.__dict__)
            except BaseException as problem:
                raise explained(problem, folder, each) from None
    return module


def function(module: ModuleType, name: str, parameters: tuple[str, ...]) -> Callable:
    """The student's function of this name; Problem if it is missing, or takes other arguments."""
    found = getattr(module, name, None)
    if not callable(found):
        raise Problem(f"there is no function `{name}` in the file: its name must stay as it was.")
    try:
        inspect.signature(found).bind(*parameters)
    except TypeError:
        listed = ", ".join(parameters)
        raise Problem(f"`{name}` must take {len(parameters)} arguments, in this order: ({listed}).") from None
    except ValueError:                                  # a function of NumPy has no signature
        pass
    return found


def is_empty(module: ModuleType, name: str) -> bool:
    """Whether the body of the function is still the `...` of the workbook."""
    bodies = [node.body for node in ast.walk(ast.parse(Path(module.__file__).read_bytes()))
              if isinstance(node, ast.FunctionDef) and node.name == name]
    return bool(bodies) and all(isinstance(node, ast.Pass) or isinstance(node, ast.Expr)
                                and isinstance(node.value, ast.Constant) for node in bodies[-1])


def call(module: ModuleType, name: str, arguments: dict[str, object]) -> object:
    """What the student's function returns for copies of these arguments, whose arrays cannot be written to.

    Problem, if it is missing, takes other arguments, raises something, changes a list, or returns None.
    """
    found = function(module, name, tuple(arguments))
    given = {each: _frozen(value) for each, value in arguments.items()}
    try:
        with np.errstate(all="ignore"):
            returned = found(*given.values())
    except BaseException as problem:
        raise explained(problem, Path(module.__file__).parent, module.__name__, arguments) from None
    for each, value in given.items():
        if isinstance(value, list) and not (len(value) == len(arguments[each])
                                            and all(map(np.array_equal, value, arguments[each]))):
            raise Problem(f"`{name}` changes the list `{each}` that it was given: make a new list instead.")
    if returned is None and is_empty(module, name):
        raise Problem(f"`{name}` has no body yet.", state=NOT_WRITTEN)
    if returned is None:
        raise Problem(f"`{name}` returns None: is its line `return ...` missing?")
    return returned


def _frozen(value: object) -> object:
    if isinstance(value, list):
        return [_frozen(each) for each in value]
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return value


def explained(problem: BaseException, folder: Path, stem: str, arguments: dict[str, object] | None = None) -> Problem:
    """The exception in a line or two, with the line of the student's file at which it arose, and no traceback."""
    where = _line(problem, folder, stem)
    said = re.sub(r",? with gufunc signature \S+", "", " ".join(str(problem).split()))         # of matmul, and long
    if isinstance(problem, NotImplementedError):
        return Problem("it raises NotImplementedError: there is no body yet.", state=NOT_WRITTEN)
    if isinstance(problem, SyntaxError):
        text = f": `{problem.text.strip()}`" if problem.text and problem.text.strip() else ""
        return Problem(f"{where}Python cannot read this line ({problem.msg}){text}.")
    if isinstance(problem, SystemExit):
        return Problem(f"{where}this ends the program (sys.exit, exit or quit): a function must return its result.")
    if isinstance(problem, KeyboardInterrupt):
        return Problem(f"{where}it raises KeyboardInterrupt.")
    if isinstance(problem, RecursionError):
        return Problem(f"{where}a function calls itself without end (RecursionError).")
    if isinstance(problem, EOFError):
        return Problem(f"{where}nothing can be typed in here: work with the arguments, and without input().")
    if isinstance(problem, ValueError) and "read-only" in said:
        return Problem(f"{where}an argument (or a view of one) is changed in place, and the caller still needs it: "
                       "make a new array (`h = h - m` instead of `h -= m`, or `.copy()` first).")
    shapes = ""
    if isinstance(problem, (ValueError, IndexError)) and arguments:
        arrays = {name: value.shape for name, value in arguments.items() if isinstance(value, np.ndarray)}
        shapes = "  Shapes here: " + ", ".join(f"{name} {shape}" for name, shape in arrays.items()) + "."
    words = f"{type(problem).__name__}: {said}" if said else type(problem).__name__
    return Problem(f"{where}{words.rstrip('.')}.{shapes}")


def _line(problem: BaseException, folder: Path, stem: str) -> str:
    """"line 12: ", or "line 12 of 06_layers.py: " if it is another file; "" if the line is in no file of the folder."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(problem.__traceback__)]
    if isinstance(problem, SyntaxError) and problem.filename:
        frames.append((Path(problem.filename), problem.lineno))
    frames = [(path, number) for path, number in frames if path.parent == folder and number]
    if not frames:
        return ""
    path, number = frames[-1]
    return f"line {number}: " if path.stem == stem else f"line {number} of {path.name}: "
