"""Load the student's files and call the functions in them.

An error is explained in one or two lines, which show the student's line of code.
"""
from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

NOT_WRITTEN, WRONG = "not written yet", "wrong"


class Problem(Exception):
    """Raised if a file or a function is not right.  `lines` tell the student why; `state` is NOT_WRITTEN or WRONG."""

    def __init__(self, *lines: str, state: str = WRONG) -> None:
        super().__init__(*lines)
        self.lines, self.state = lines, state


def load(folder: Path, stem: str, needs: tuple[str, ...], stems: tuple[str, ...]) -> ModuleType:
    """Load the student's file `stem` and, before it, the files `needs` that it imports.  Return its module.

    The files are compiled here, because a cached .pyc may be out of date.  `stems` lists the names of all files.
    """
    sys.path[:] = [str(folder), *(path for path in sys.path if path != str(folder))]
    for each in stems:
        sys.modules.pop(each, None)
    for each in (*needs, stem):
        path = folder / f"{each}.py"
        try:
            source = path.read_bytes()
        except OSError as problem:
            back = (f"`git checkout tutorials/workbook/{each}.py` puts it back as it was at first; into a folder of "
                    "your own, copy it from there.",) if isinstance(problem, FileNotFoundError) else ()
            raise Problem(f"{path} cannot be read: {problem.strerror}.", *back) from None
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
    """Return the student's function with this name.  Raise Problem if it is missing or takes other arguments."""
    found = getattr(module, name, None)
    if not callable(found):
        raise Problem(f"there is no function `{name}` in the file: its name must stay as it was.")
    try:
        signature = inspect.signature(found)
    except (ValueError, TypeError):                     # a function written in C may have no signature
        return found
    try:
        signature.bind(*parameters)
        good = tuple(signature.parameters)[:len(parameters)] == parameters
    except TypeError:
        good = False
    if not good:
        raise Problem(f"`{name}` must take {len(parameters)} arguments, in this order: ({', '.join(parameters)}).  "
                      f"It takes ({', '.join(signature.parameters)}).")
    return found


def is_empty(module: ModuleType, name: str) -> bool:
    """Return whether the body of the function is still `...`, as in the workbook."""
    bodies = [node.body for node in ast.walk(ast.parse(Path(module.__file__).read_bytes()))
              if isinstance(node, ast.FunctionDef) and node.name == name]
    return bool(bodies) and all(isinstance(node, ast.Pass) or isinstance(node, ast.Expr)
                                and isinstance(node.value, ast.Constant) for node in bodies[-1])


def call(module: ModuleType, name: str, arguments: dict[str, object]) -> object:
    """Call the student's function with read-only copies of these arguments, and return its result.

    Raises Problem if the function is missing, takes other arguments, raises an exception, changes a list, or returns
    None.
    """
    found = function(module, name, tuple(arguments))
    given = {each: _frozen(value) for each, value in arguments.items()}
    try:
        with np.errstate(all="ignore"):
            returned = found(*given.values())
    except BaseException as problem:
        raise explained(problem, Path(module.__file__).parent, module.__name__, arguments, name) from None
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


def explained(problem: BaseException, folder: Path, stem: str, arguments: dict[str, object] | None = None,
              name: str = "") -> Problem:
    """Return a Problem that explains an exception in one or two lines, without a traceback.

    The lines show the line of the student's file in which the exception was raised.  `name` is the function that was
    called with `arguments`, or "" if a file was imported.
    """
    where, code, of_call = _place(problem, folder, stem)
    said = re.sub(r",? with gufunc signature \S+", "", " ".join(str(problem).split()))         # of matmul, and long
    if isinstance(problem, NotImplementedError):
        return Problem("it raises NotImplementedError: there is no body yet.", state=NOT_WRITTEN)
    if isinstance(problem, SyntaxError):
        text = f": `{problem.text.strip()}`" if problem.text and problem.text.strip() else ""
        return Problem(f"{where}Python cannot read this line ({problem.msg}){text}.")
    if name and of_call is None:
        where = f"`{name}`{', ' if where else ': '}{where}"
    shown = (f"The line is `{code}`",) if code else ()
    for kind, words in PLAINLY.items():
        if isinstance(problem, kind):
            return Problem(where + words, *shown)
    if isinstance(problem, ValueError) and "read-only" in said:
        return Problem(f"{where}an argument (or a view of one) is changed in place, and the caller still needs it: "
                       "make a new array (`h = h - m` instead of `h -= m`, or `.copy()` first).", *shown)
    if isinstance(problem, TypeError) and "numpy boolean" in said:              # TypeError: numpy boolean subtract, ...
        return Problem(f"{where}TypeError: an array is of True and False, and must be numbers: .astype(float).", *shown)
    words = f"{type(problem).__name__}: {said}" if said else type(problem).__name__
    given = of_call if of_call is not None else arguments or {}
    return Problem(f"{where}{words.rstrip('.')}.{_slip(problem, said, code)}{_shapes(problem, given, of_call)}", *shown)


PLAINLY = {
    SystemExit: "this ends the program (sys.exit, exit or quit): a function must return its result.",
    KeyboardInterrupt: "it raises KeyboardInterrupt.",
    RecursionError: "a function calls itself without end (RecursionError).",
    EOFError: "nothing can be typed in here: work with the arguments, and without input()."}


def _slip(problem: BaseException, said: str, code: str) -> str:
    """Return a clause that names the likely slip behind this exception, or ""."""
    sizes = [tuple(each.strip(",").split(",")) for each in re.findall(r"\((\d+,[\d,]*)\)", said)]
    if isinstance(problem, ValueError) and "broadcast" in said and any(
            one == other[:-1] for one in sizes for other in sizes):
        named = re.findall(r"\b(sum|max|mean)\(", code)
        what = "sum" if "sum" in named or not named else {"max": "maximum", "mean": "mean"}[named[0]]
        return f"  Likely slip: a row's {what} lost its axis: keepdims=True."
    if isinstance(problem, (ValueError, TypeError)) and re.search(r"rng\.\w+\(.*shape", code) and "size=" not in code:
        return "  Likely slip: give the shape as size=shape."
    return ""


def _shapes(problem: BaseException, given: dict[str, object], of_call: dict[str, object] | None) -> str:
    """Return the end of a message that shows the shapes of the arguments, or "" if they do not explain the exception.
    """
    if not isinstance(problem, (ValueError, IndexError, TypeError)):
        return ""
    arrays = [] if isinstance(problem, TypeError) else [
        f"{name} {value.shape}" for name, value in given.items() if isinstance(value, np.ndarray)]
    tuples = [f"{name} = {value}" for name, value in given.items() if isinstance(value, tuple)]
    listed = ", ".join(arrays + tuples)
    if not listed:
        return ""
    return f"  {'Shapes' if arrays else 'Arguments'} {'here' if of_call is None else 'of this call'}: {listed}."


def _place(problem: BaseException, folder: Path, stem: str) -> tuple[str, str, dict[str, object] | None]:
    """Return the place at which the exception was raised, such as "line 12: ", the text of this line, and None.

    If the exception was raised in another file of the folder, the place also names the line of the file `stem` that
    called the function there, and the arguments of this call are returned instead of None.  If it was not raised in a
    file of the folder, the first two results are "".
    """
    found = [(Path(frame.f_code.co_filename), number, frame)
             for frame, number in traceback.walk_tb(problem.__traceback__)]
    if isinstance(problem, SyntaxError) and problem.filename:
        found.append((Path(problem.filename), problem.lineno, None))
    found = [each for each in found if each[0].parent == folder and each[1]]
    if not found:
        return "", "", None
    path, number, _ = found[-1]
    mine = [place for place, each in enumerate(found) if each[0].stem == stem]
    where = f"line {number}: " if path.stem == stem else f"line {number} of {path.name}: "
    if not mine or path.stem == stem:
        return where, _text(path, number), None
    own, from_line, by = found[mine[-1]]
    frame = found[mine[-1] + 1][2]
    if frame is None:
        return where, _text(path, number), None
    code = frame.f_code
    names = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
    given = {name: frame.f_locals[name] for name in names if name in frame.f_locals}
    called = f"`{code.co_name}`, called from line {from_line} of {own.name} (in `{by.f_code.co_name}`)"
    return f"{called}, fails in {where}", _text(own, from_line), given


def _text(path: Path, number: int) -> str:
    """Return line `number` of the file.  A long line is shortened."""
    linecache.checkcache(str(path))
    text = linecache.getline(str(path), number).strip()
    return text if len(text) <= 110 else f"{text[:107]}..."
