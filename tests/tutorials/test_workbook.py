"""check.py of the workbook explains every error in a student's file in a line or two, with the right exit status."""
from __future__ import annotations

import io
import json
import os
import re
import runpy
import subprocess
import sys

import pytest

from tests.tutorials.workbook import STEMS, WORKBOOK, edited, folder_of, judged, solution

import checking
from checking import command, loading, process, progress, showing, topics, training

KL = "    return (q * log_q).sum(axis=1) + np.log(q.shape[1])"
GRADIENT = "    return q * (log_q - (q * log_q).sum(axis=1, keepdims=True))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("student"))


@pytest.fixture
def answer(folder, capsys):
    """Return a function that runs check.py with a changed file and returns the exit status and the printed lines."""
    def run(*arguments, stem="08_kl", text=None, seconds=20.0):
        path, kept = folder / f"{stem}.py", (folder / f"{stem}.py").read_bytes()
        if text is not None:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            status = command.run(list(arguments), folder, seconds)
        finally:
            path.write_bytes(kept)
        return status, capsys.readouterr().out.splitlines()
    return run


def kl(body: str) -> str:
    """Return 08_kl.py with this body of `kl`."""
    return edited("08_kl", KL, body)


FIRST = solution("08_kl").splitlines().index(KL) + 1          # the line of the body of `kl`
LAST = len(solution("08_kl").splitlines())
MISTAKES = {
    "syntax": (kl("    return (q * log_q"), f"line {FIRST}: Python cannot read this line ('(' was never closed): `"),
    "indentation": (kl("   x = 1\n    return q"), "Python cannot read this line (unindent does not match"),
    "null byte": (solution("08_kl") + "\0", "null bytes"),
    "exception": (kl("    x = 1\n    return x / 0"), f"line {FIRST + 1}: ZeroDivisionError: division by zero."),
    "inner function": (kl("    return inner()\n\n\ndef inner():\n    return {}['a']"), f"line {FIRST + 4}: KeyError"),
    "shapes": (kl("    return q @ np.ones(5)"), "(size 5 is different from 2).  Shapes here: q (2, 2), log_q (2, 2)."),
    "no name": (kl("    return undefined"), f"line {FIRST}: NameError: name 'undefined' is not defined."),
    "import": ("import numpyy\n" + solution("08_kl"), "line 1: ModuleNotFoundError: No module named 'numpyy'."),
    "at the top": (solution("08_kl") + "raise RuntimeError\n", f"line {LAST + 1}: RuntimeError."),
    "renamed": (solution("08_kl").replace("def kl(", "def KL("), "there is no function `kl` in the file"),
    "other arguments": (edited("08_kl", "def kl(q: np.ndarray, log_q: np.ndarray)", "def kl(q)"),
                        "`kl` must take 2 arguments, in this order: (q, log_q)."),
    "no return": (kl("    x = q.sum()"), "`kl` returns None: is its line `return ...` missing?"),
    "a list": (kl("    return list(q[:, 0])"), "`kl` is of type list, and must be a NumPy array of shape (2,)."),
    "a string": (kl("    return 'right'"), "`kl` is of type str, and must be a NumPy array"),
    "a generator": (kl("    yield q"), "`kl` is of type generator, and must be"),
    "strings": (kl("    return np.array(['a'])"), "`kl` holds <U1 instead of real numbers."),
    "complex": (kl("    return 1j * q[:, 0]"), "`kl` holds complex128 instead of real numbers."),
    "objects": (kl("    return np.array([None])"), "`kl` holds object instead of real numbers."),
    "NaN": (kl("    return q[:, 0] * np.nan"), "`kl` is wrong: 2 of 2 numbers are NaN (not a number)."),
    "infinite": (kl("    return 1 / (q[:, 0] * 0)"), "`kl` is wrong: 2 of 2 numbers are infinite."),
    "one NaN": (kl("    x = q[:, 0].copy()\n    x[0] = np.nan\n    return x"), "1 of 2 numbers is NaN"),
    "one number": (edited("08_kl", GRADIENT, GRADIENT.replace("return", "return np.mean(") + ")"),
                         "its shape is (), and must be (2, 2): it is one number: an axis is missing in a sum"),
    "booleans": (edited("08_kl", GRADIENT, GRADIENT + " > 0"),
                 "`kl_gradient` is of True and False, and must be numbers: .astype(float)."),
    "minus a mask": (kl("    return (q > 0) - (q > 1)"), "an array is of True and False, and must be numbers: .astype"),
    "lost axis": (kl(KL.replace("(q * log_q)", "(q * log_q + 0 * q.sum(axis=1))")),
                  "Likely slip: a row's sum lost its axis: keepdims=True"),
    "exchanged": (edited("08_kl", "def kl(q: np.ndarray, log_q: np.ndarray)", "def kl(log_q, q)"),
                  "`kl` must take 2 arguments, in this order: (q, log_q).  It takes (log_q, q)."),
    "renamed argument": (edited("08_kl", "def kl_gradient(q: np.ndarray", "def kl_gradient(p"), "It takes (p, log_q)."),
    "keepdims": (kl("    return (q * log_q).sum(axis=1, keepdims=True) + np.log(q.shape[1])"),
                 "its shape is (2, 1), and must be (2,): there is one axis of length 1 too many"),
    "transposed": (edited("08_kl", GRADIENT, GRADIENT.replace("return ", "return (") + ").T"),
                   "its shape is (3, 2), and must be (2, 3): it is transposed"),
    "factor": (edited("08_kl", GRADIENT, GRADIENT.replace("return ", "return 3 * ")),
               "the direction is right, and the length is not: it is the right result times 3."),
    "factor k": (edited("08_kl", GRADIENT, GRADIENT.replace("return ", "return q.shape[1] * ")),
                 "it is the right result times k (times k once too often"),
    "zeros": (edited("08_kl", GRADIENT, "    return 0 * q"), "all its numbers are 0"),
    "constant": (edited("08_kl", GRADIENT, GRADIENT + " + 5"), "right up to a constant"),
    "places": (edited("08_kl", GRADIENT, GRADIENT.replace("return ", "return (") + ")[:, ::-1]"),
               "these are the right numbers, but they are in the wrong places"),
    "nearly": (kl(KL + " * 1.0001"), "it is nearly right, but less exact"),
    "random": (kl("    return np.random.random(len(q))"), "it draws random numbers of its own"),
    "sys.exit": (kl("    raise SystemExit('bye')"), f"line {FIRST}: this ends the program (sys.exit, exit or quit)"),
    "exit at the top": (solution("08_kl") + "raise SystemExit\n", f"line {LAST + 1}: this ends the program"),
    "interrupt": (kl("    raise KeyboardInterrupt"), f"line {FIRST}: it raises KeyboardInterrupt."),
    "in place": (kl("    q *= log_q\n    return q.sum(axis=1)"), f"line {FIRST}: an argument (or"),
    "one entry": (kl("    q[0, 0] = 1\n    return q.sum(axis=1)"), f"line {FIRST}: an argument (or"),
    "recursion": (kl("    return kl(q, log_q)"), f"line {FIRST}: a function calls itself without end"),
}
UNWRITTEN = {"not implemented": kl("    raise NotImplementedError"), "pass": kl("    pass"), "dots": kl("    ...")}
IN_A_PROCESS = {
    "encoding": (solution("08_kl").encode() + b"x = '\xff'\n", "Python cannot read this line"),
    "os._exit": (kl("    import os\n    os._exit(0)"), "its process ended without an answer (status 0)"),
    "input": (kl("    return float(input('q? '))"), f"line {FIRST}: nothing can be typed in here"),
    "NumPy changed": (solution("08_kl") + "\nnp.isclose = np.isfinite = None\n", "Does the code change NumPy or sys?"),
    "stream closed": (kl("    import sys\n    sys.stdout.close()\n    return q"), "Does the code change NumPy or sys?"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_explained_in_at_most_three_lines(folder, name):
    text, words = MISTAKES[name]
    state, output = judged(folder, "08_kl", text)
    assert state == "wrong" and words in output
    lines = output.split("\n")
    assert len(lines) <= 3 and "Traceback" not in output and all(len(line) < 190 for line in lines)


@pytest.mark.parametrize("name", UNWRITTEN)
def test_function_without_a_body_counts_as_not_written_yet(folder, name):
    assert judged(folder, "08_kl", UNWRITTEN[name]) == ("not written yet: `kl`", "")


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_code_that_breaks_its_process_is_explained(answer, name):
    text, words = IN_A_PROCESS[name]
    status, output = answer("8", text=text)
    assert status == 1 and output[0] == "✗ 08_kl.py: wrong" and words in output[1] and len(output) <= 6


def test_missing_file_is_explained(folder):
    (folder / "08_kl.py").rename(folder / "kept")
    try:
        state, (line, back) = topics.judge(folder, topics.TOPICS[7])
    finally:
        (folder / "kept").rename(folder / "08_kl.py")
    assert state == "wrong" and line.endswith("08_kl.py cannot be read: No such file or directory.")
    assert back.startswith("`git checkout tutorials/workbook/08_kl.py` puts it back")


@pytest.mark.parametrize("loop", ["    x = 1\n    while True: pass", "    x = 1\n    x = sum(range(10**13))"])
def test_endless_loop_is_stopped(answer, loop):
    """The second loop never returns from C code."""
    status, output = answer("8", text=kl(loop), seconds=0.3)
    assert status == 1 and f"line {FIRST + 1} of 08_kl.py: it had not ended after 0.3 seconds" in output[1]


def test_output_of_the_code_is_reported_and_does_not_change_the_verdict(answer):
    status, output = answer("8", text=kl("    print('q is', q.shape)\n" + KL))
    assert status == 0 and output[0] == "✓ 08_kl.py: right"
    assert output[1].strip() == ("(Your code prints: 'q is (2, 2)' and 4 more lines.  Remove the print when you are "
                               "done.)")


def test_file_that_imports_a_wrong_file_waits(folder, answer):
    status, output = answer("10", text=kl("    return q"))
    waits = "waiting, because it uses your 08_kl.py, which is not right yet (check.py 8 --folder {folder})"
    assert status == 1 and output[0] == f"… 10_encoder_decoder.py: {waits.format(folder=folder)}"
    (folder / "02_arg_max.py").rename(folder / "kept")
    try:
        output = answer("4")[1][0]
    finally:
        (folder / "kept").rename(folder / "02_arg_max.py")
    assert output.endswith(f"uses your 02_arg_max.py, which is not in this folder (check.py 2 --folder {folder})")
    checked = command.Checked(WORKBOOK, 20.0)
    assert checked.waiting(topics.TOPICS[1]).endswith("which is not right yet (check.py 2)")


def test_exception_message_names_the_function_and_shows_the_line(folder):
    state, output = judged(folder, "08_kl", kl("    return inner()\n\n\ndef inner():\n    return {}['a']"))
    assert output == f"`kl`, line {FIRST + 4}: KeyError: 'a'.\nThe line is `return {{}}['a']`"


def test_exception_in_an_earlier_file_names_the_calling_line(folder):
    """It shows the shapes of this call, and not those of the function under check."""
    text = edited("10_encoder_decoder", "network(x, W1", "network(x[:, 1:], W1")
    called = text[:text.index("network(x[")].count("\n") + 1
    state, output = judged(folder, "10_encoder_decoder", text)
    first, second = output.split("\n")
    assert first.startswith(f"`network`, called from line {called} of 10_encoder_decoder.py (in `forward`), fails in ")
    assert " of 06_layers.py: ValueError: matmul" in first
    assert "Shapes of this call: x (1, 1), W1 (2, 2), b1 (2,), W2 (2, 2), b2 (2,)." in first
    assert second == "The line is `r, h = network(x[:, 1:], W1, b1, W2, b2)`"


def test_training_starts_only_if_all_files_are_right(answer, monkeypatch):
    monkeypatch.setattr(training, "check", lambda folder, encoding: ("right", ["trained"]))
    status, output = answer()
    assert status == 0 and output[:13] == [f"✓ {stem}.py: right" for stem in STEMS]
    assert "✓ train: right" in output and output[-1] == "█" * 13 + "  13 of 13 right"
    monkeypatch.setattr(process, "run", lambda work, arguments, *more: (
        ("not written yet: `kl`" if arguments[1].number == 8 else "right"), []))
    status, output = answer()
    assert status == 1 and "train" not in "".join(output) and output[-1].endswith("10 of 13 right")
    assert output[7] == "… 08_kl.py: not written yet: `kl`" and "waiting" in output[9] + output[10]
    status, output = answer("train")
    assert status == 1 and output[0].startswith("… train: waiting, because it uses your 08_kl.py")


def test_progress_is_saved_until_a_file_changes(folder, answer):
    for name in ("6.py", "07_bernoulli_score.py", "tutorials/workbook/08_kl", "encoder_decoder"):
        assert answer(name)[0] == 0
    assert {6, 7, 8, 10} <= progress.read(folder)
    kept = (folder / "07_bernoulli_score.py").read_bytes()
    (folder / "07_bernoulli_score.py").write_bytes(kept + b"\n")
    assert not {7, 10} & progress.read(folder) and 8 in progress.read(folder)       # 10 imports 7
    (folder / "07_bernoulli_score.py").write_bytes(kept)
    (folder / progress.FILE).write_text(json.dumps([1, 2]))
    assert progress.read(folder) == set()


def main(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    """Run the program check.py and return its exit status, output and errors."""
    monkeypatch.setattr(sys, "argv", ["check.py", *arguments])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(WORKBOOK / "check.py"), run_name="__main__")
    return ended.value.code, *capsys.readouterr()


@pytest.mark.parametrize("arguments, words", [
    (["14"], "'14' is none of the files: give a number from 1 to 13"), (["kll"], "'kll' is none of the files"),
    (["trian"], "or train.  Did you mean train?"), (["arg-max.py"], "Did you mean arg_max?"),
    (["8", "--folder", "no/such"], "--folder no/such is not a folder"), (["--folder", "."], "--folder . has none of"),
    (["8", "--seconds", "0"], "--seconds must be a positive number"), (["--what"], "unrecognized arguments: --what")])
def test_invalid_argument_gives_exit_status_2(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    status, out, err = main(monkeypatch, capsys, *arguments)
    assert status == 2 and words in err.splitlines()[-1] and out == ""


def test_interrupt_during_imports_gives_exit_status_130(monkeypatch, capsys):
    class Interrupted:
        def find_spec(self, name, path=None, target=None):
            if name == "checking.command":
                raise KeyboardInterrupt

    monkeypatch.delattr(checking, "command")
    monkeypatch.delitem(sys.modules, "checking.command")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    try:
        assert main(monkeypatch, capsys, "8") == (130, "", "")
    except KeyboardInterrupt:                               # it would end all tests
        pytest.fail("the interrupt is not caught")


def test_original_workbook_counts_as_not_written_yet(tmp_path, monkeypatch, capsys):
    """The files are copied to another folder."""
    for stem in STEMS:
        (tmp_path / f"{stem}.py").write_bytes((WORKBOOK / f"{stem}.py").read_bytes())
    status, out, err = main(monkeypatch, capsys, "--folder", str(tmp_path))
    assert status == 1 and err == "" and out.endswith("░" * 13 + "  0 of 13 right\n")
    assert out.count("not written yet") + out.count("waiting") == 13


@pytest.mark.slow
def test_check_works_in_a_spawned_process(folder):
    """Windows and macOS start a new interpreter."""
    code = ("import multiprocessing, sys; from checking import command, process; from pathlib import Path; "
            "process.CONTEXT = multiprocessing.get_context('spawn'); "
            "sys.exit(command.run(['8'], Path(sys.argv[1]), 20.0))")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(WORKBOOK), str(WORKBOOK.parent.parent)]),
                                "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code, folder], env=environment, text=True, capture_output=True,
                          encoding="utf-8")
    assert done.returncode == 0 and done.stdout.startswith("✓ 08_kl.py: right"), done.stderr


def test_file_of_a_student_runs_alone_from_any_folder(folder, tmp_path):
    done = subprocess.run([sys.executable, folder / "11_direct_step.py"], cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0 and done.stderr == ""


def test_stream_that_cannot_encode_symbols_gets_ascii(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    command.say("✓ ε … é")
    assert stream.buffer.getvalue() == b"ok eps ... ?\n"
    assert showing.plain("✓ é", "utf-8") == "✓ é"
    assert showing.plain("✓", None) == showing.plain("✓", "no such encoding") == "ok"


def test_training_is_compared_with_that_of_the_package(folder, tmp_path, monkeypatch, capfd):
    """With the same noise, one epoch on 200 images is the same run; a model that does not learn is detected."""
    monkeypatch.setattr(training, "EPOCHS", 1)
    monkeypatch.setattr(sys, "path", list(sys.path))
    state, lines = training.check(folder, "ascii", limit=200)
    assert state == "right" and lines[0].startswith("The bounds differ by 0.0")
    assert (folder / training.PICTURE).read_bytes().startswith(b"\x89PNG")
    assert "yours,    epoch 1: test bound -ELBO" in capfd.readouterr().out
    lazy = folder_of(tmp_path, _09_adam=edited("09_adam", "w - rate", "w - 0 * rate"))
    assert training.check(lazy, None, limit=200)[0] == "wrong"
    broken = folder_of(tmp_path, _09_adam=edited("09_adam", "w - rate", "w - rat"))
    state, (output, line) = training.check(broken, None, limit=200)
    assert state == "wrong" and output == "line 23 of 09_adam.py: NameError: name 'rat' is not defined."
    assert line.startswith("The line is `weights = [w - rat *")


@pytest.mark.slow
def test_solutions_train_on_mnist(folder):
    done = subprocess.run([sys.executable, WORKBOOK / "check.py", "train", "--folder", folder], text=True,
                          capture_output=True, timeout=900)
    assert done.returncode == 0 and "train: right" in done.stdout, done.stdout + done.stderr
    assert (folder / training.PICTURE).exists()


def test_readme_lists_every_file_and_shows_the_real_output(tmp_path, capsys):
    page = (WORKBOOK / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\d\d_\w+)\.py` \|", page, re.M) == list(STEMS)
    for path in (WORKBOOK / "README.md", WORKBOOK / "solutions" / "README.md"):
        links = re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8"))
        assert links and all((path.parent / link).exists() for link in links)
    folder_of(tmp_path, _04_two_arg_maxes=edited("04_two_arg_maxes", " / eps", ""))
    assert command.run(["4"], tmp_path, 20.0) == 1
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.S)
    assert capsys.readouterr().out == shown


def test_exception_outside_the_file_is_explained_without_a_line():
    assert loading.explained(ValueError("no line"), WORKBOOK, "08_kl").lines == ("ValueError: no line.",)
    assert process.CONTEXT.get_start_method() == ("fork" if sys.platform == "linux" else "spawn")
    assert [topic.number for topic in topics.TOPICS] == list(range(1, 14))
