"""The command line: every command end to end on a small slice, and every bad input in one line with status 2."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refimpl import cli, data
from refimpl.runs.checkpoint import FILE

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = ["--hidden", "16", "--limit", "300", "--batch", "50"]


def call(capsys, *arguments) -> tuple[int, str, str]:
    """(status, standard output, standard error) of the command line, in this process."""
    try:
        status = cli.main([str(argument) for argument in arguments])
    except SystemExit as leaving:                               # argparse leaves this way
        status = leaving.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def run(tmp_path, capsys) -> Path:
    """A finished run of two epochs."""
    folder = tmp_path / "run"
    assert call(capsys, "train", *SMALL, "--epochs", 2, "--out", folder)[0] == 0
    return folder


# --- the commands --------------------------------------------------------------------------------------------------------

def test_verify(tmp_path, capsys):
    status, out, err = call(capsys, "verify", "--k", 4, "--seed", 3, "--samples", 20_000, "--out", tmp_path)
    assert status == 0 and err == ""
    assert "FAILS" not in out and re.search(r"(\d+) of \1 claims hold", out)
    assert (tmp_path / "theorem1.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("estimator", ["direct", "exact", "gumbel-softmax", "straight-through-gumbel-softmax"])
@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_train(tmp_path, capsys, dataset, estimator):
    status, out, err = call(capsys, "train", *SMALL, "--dataset", dataset, "--estimator", estimator, "--epochs", 1,
                            "--k", 5, "--out", tmp_path / "run")
    assert status == 0 and err == ""
    assert re.search(r"1 epoch: test -ELBO \d+\.\d\d nats", out)


@pytest.mark.parametrize("options", [
    ["--n", "4", "--k", "2"], ["--n", "3", "--k", "3", "--estimator", "direct-joint"], ["--n", "12", "--k", "2"],
    ["--n", "20", "--k", "2", "--estimator", "arm"], ["--n", "4", "--k", "2", "--estimator", "relax", "--as-released"],
    ["--n", "5", "--k", "2", "--structure", "pairwise"],
    ["--n", "5", "--k", "2", "--structure", "pairwise", "--solver", "milp"],
    ["--n", "4", "--k", "2", "--structure", "pairwise", "--estimator", "direct-joint", "--solver", "persistency"],
    ["--n", "4", "--k", "2", "--structure", "pairwise", "--estimator", "gumbel-softmax", "--as-released"]])
def test_train_with_several_variables(tmp_path, capsys, options):
    status, out, err = call(capsys, "train", "--hidden", 10, "--limit", 60, "--batch", 20, *options, "--epochs", 1,
                            "--out", tmp_path / "run")
    assert status == 0 and err == "", err
    assert "nan" not in out
    if "--structure" in options:
        assert "-log p(x)" in out and ("no bound" in out) == ("--as-released" in options)
    elif "20" in options:
        assert "(one sample)" in out                                # 2^20 joint values: no exact bound


@pytest.mark.parametrize("options", [[], ["--estimator", "gumbel-softmax"], ["--estimator", "exact"], ["--labels", "0"],
                                     ["--as-released"], ["--labelled-term", "direct-loss", "--dataset", "fashion-mnist"]])
def test_semi_supervised(tmp_path, capsys, options):
    small = ["semi-supervised", "--labels", 20, "--limit", 300, "--pretrain", 2, "--epochs", 1, *options]
    status, out, err = call(capsys, *small, "--out", tmp_path / "run")
    assert status == 0 and err == "" and "nan" not in out
    assert re.search(r"1 epoch: test accuracy (\(best match\) )?\d+\.\d\d %, -ELBO \d+\.\d\d nats", out)
    assert ("best match" in out) == ("0" in options)
    status, out, err = call(capsys, *small, "--epochs", 2, "--out", tmp_path / "run", "--resume")
    assert status == 0 and err == "" and "2 epochs" in out
    assert_refused(capsys, ["codes", tmp_path / "run"], "semi-supervised", "train")
    assert_refused(capsys, ["variance", "--run", tmp_path / "run"], "semi-supervised", "train")


@pytest.mark.parametrize("arguments, words", [
    (["--labels", "55"], ["--labels", "divisible", "10"]),
    (["--labels", "-10"], ["--labels", "at least 0"]),
    (["--labels", "60000"], ["--labels", "at most 50000"]),
    (["--labels", "50000"], ["--labels", "rarest class"]),
    (["--labels", "ten"], ["--labels"]),
    (["--limit", "100", "--batch", "50", "--labels", "110"], ["--labels", "at most 100"]),
    (["--estimator", "rebar"], ["rebar", "direct"]),
    (["--dataset", "omniglot"], ["omniglot", "no labels", "fashion-mnist"]),
    (["--dataset", "cifar"], ["cifar"]),
    (["--labelled-term", "hinge"], ["hinge", "cross-entropy"]),
    (["--eps", "0"], ["--eps"]),
    (["--tau", "1"], ["--tau", "--eps"]),
    (["--gaussian", "0"], ["--gaussian"]),
    (["--shift", "28"], ["--shift", "27"]),
    (["--beta", "nan"], ["--beta"]),
    (["--pretrain", "-1"], ["--pretrain"]),
    (["--batch", "50001"], ["--batch", "50000"]),
    (["--epochs", "0"], ["--epochs", "at least 1"]),
    (["--as-released", "--beta", "2"], ["--as-released", "beta"]),
    (["--resume"], ["checkpoint.npz", "missing"])])
def test_bad_options_of_semi_supervised(tmp_path, capsys, arguments, words):
    assert_refused(capsys, ["semi-supervised", *arguments, "--out", tmp_path / "run"], *words)
    assert not (tmp_path / "run").exists()


def test_resume_more_epochs(run, capsys):
    status, out, _ = call(capsys, "train", *SMALL, "--epochs", 3, "--out", run, "--resume")
    assert status == 0 and "3 epochs" in out
    assert len((run / "metrics.csv").read_text().splitlines()) == 4


def test_compare(run, tmp_path, capsys):
    other = tmp_path / "other"
    call(capsys, "train", *SMALL, "--estimator", "exact", "--epochs", 1, "--out", other)
    status, out, _ = call(capsys, "compare", run, other, run, "--out", tmp_path / "both.png")
    assert status == 0 and out.count("test -ELBO") == 3
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_variance(run, tmp_path, capsys):
    status, out, err = call(capsys, "variance", "--run", run, "--samples", 20, "--batch", 30, "--out", tmp_path / "v")
    assert status == 0 and err == ""
    assert len((tmp_path / "v" / "variance.csv").read_text().splitlines()) == 11
    assert (tmp_path / "v" / "variance.png").exists()


def test_benchmark(capsys, monkeypatch):
    from refimpl.experiments import benchmark

    monkeypatch.setattr(benchmark, "epoch_seconds", lambda: [1.0, 1.0, 1.05])       # an epoch takes too long here
    status, out, _ = call(capsys, "benchmark", "--steps", 1, "--rounds", 1)
    assert status == 0 and len(out.splitlines()) == 1 + len(benchmark.CASES) + len(benchmark.MIXTURE) + 1
    assert "1.05 times the first" in out


def test_quickstart_in_a_process_of_its_own(tmp_path):
    done = subprocess.run([sys.executable, "-m", "refimpl", "quickstart", "--out", str(tmp_path)], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for picture in re.findall(r"^- (\S+\.png)", done.stdout, re.M):
        assert Path(picture).exists()
    bounds = [float(line.split()[3]) for line in done.stdout.splitlines() if re.match(r" +[123] +\d", line)]
    assert len(bounds) == 3 and bounds[2] < 172 < bounds[0]
    again = subprocess.run([sys.executable, "-m", "refimpl", "quickstart", "--out", str(tmp_path)], cwd=ROOT,
                           capture_output=True, text=True)
    assert again.returncode == 0                                # finds the run finished, and says the same


def test_help_names_every_command(capsys):
    status, out, _ = call(capsys, "--help")
    assert status == 0
    for name in ("quickstart", "verify", "train", "compare", "variance", "benchmark"):
        assert name in out
        assert call(capsys, name, "--help")[0] == 0


# --- bad input -----------------------------------------------------------------------------------------------------------

def assert_refused(capsys, arguments, *words) -> None:
    status, _, err = call(capsys, *arguments)
    assert status == 2, (status, err)
    assert err.count("\n") == 1 and "Traceback" not in err, err
    for word in words:
        assert word in err, err


@pytest.mark.parametrize("arguments, words", [
    (["--dataset", "cifar"], ["cifar", "fashion-mnist"]),
    (["--estimator", "magic"], ["magic", "gumbel-softmax"]),
    (["--k", "1"], ["--k", "at least 2"]),
    (["--k", "0"], ["--k"]),
    (["--k", "1000000000"], ["--k", "at most"]),
    (["--k", "ten"], ["--k", "ten"]),
    (["--eps", "0"], ["--eps", "above 0"]),
    (["--eps", "-0.1"], ["--eps"]),
    (["--eps", "nan"], ["--eps"]),
    (["--eps", "inf"], ["--eps"]),
    (["--estimator", "gumbel-softmax", "--tau", "0"], ["--tau"]),
    (["--estimator", "gumbel-softmax", "--tau", "nan"], ["--tau"]),
    (["--estimator", "gumbel-softmax", "--eps", "0.1"], ["--eps", "--tau"]),
    (["--tau", "0.1"], ["--tau", "--eps"]),
    (["--estimator", "exact", "--eps", "0.1"], ["--eps", "exact"]),
    (["--epochs", "0"], ["--epochs", "at least 1"]),
    (["--epochs", "-3"], ["--epochs"]),
    (["--batch", "0"], ["--batch"]),
    (["--batch", "50001"], ["--batch", "50000"]),
    (["--limit", "30", "--batch", "31"], ["--batch", "30"]),
    (["--limit", "0"], ["--limit"]),
    (["--lr", "0"], ["--lr"]),
    (["--lr", "nan"], ["--lr"]),
    (["--hidden", "0"], ["--hidden"]),
    (["--seed", "-1"], ["--seed"]),
    (["--as-released", "--eps", "0.1"], ["--as-released", "--eps"]),
    (["--as-released", "--kl-grad"], ["--as-released", "kl-grad"]),
    (["--data-dir", "/no/such/folder"], ["/no/such/folder"]),
    (["--dataset", "omniglot"], ["--data-dir", "brendenlake/omniglot"]),
    (["--frobnicate"], ["--frobnicate"]),
    (["--n", "0"], ["--n", "at least 1"]),
    (["--n", "201"], ["--n", "at most 200"]),
    (["--n", "200", "--k", "100"], ["--n", "--k", "10000"]),
    (["--n", "5", "--k", "1"], ["--k"]),
    (["--exact-every", "0"], ["--exact-every"]),
    (["--n", "13", "--k", "2", "--estimator", "exact"], ["2^13 = 8,192", "4,096", "local-expectation"]),
    (["--n", "13", "--k", "2", "--estimator", "direct-joint"], ["8,192"]),
    (["--n", "5", "--k", "3", "--estimator", "arm"], ["arm", "--k 2"]),
    (["--estimator", "disarm"], ["disarm", "--k 2"]),
    (["--n", "5", "--structure", "pairwise"], ["--k 2"]),
    (["--n", "5", "--k", "2", "--structure", "triples"], ["triples"]),
    (["--n", "1", "--k", "2", "--structure", "pairwise"], ["--n", "2 ... 200"]),
    (["--n", "21", "--k", "2", "--structure", "pairwise", "--solver", "enumeration"], ["--n", "2 ... 20", "enumeration"]),
    (["--n", "5", "--k", "2", "--structure", "pairwise", "--solver", "simplex"], ["simplex"]),
    (["--n", "5", "--k", "2", "--structure", "pairwise", "--estimator", "rebar"], ["rebar", "direct"]),
    (["--n", "5", "--k", "2", "--structure", "pairwise", "--solver", "maxflow", "--no-non-negative"], ["maxflow", "negative"]),
    (["--n", "5", "--k", "2", "--structure", "pairwise", "--kl-grad"], ["--kl-grad"]),
    (["--n", "17", "--k", "2", "--structure", "pairwise", "--solver", "enumeration", "--estimator", "gumbel-softmax"],
     ["2^17 = 131,072"]),
    (["--n", "5", "--k", "2", "--solver", "maxflow"], ["--solver", "--structure"]),
    (["--n", "5", "--k", "2", "--no-non-negative"], ["--non-negative", "--structure"]),
    (["--estimator", "rebar", "--eps", "1"], ["--eps", "--tau"]),
])
def test_bad_options_of_train(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.delenv("REFIMPL_DATA_DIR", raising=False)
    assert_refused(capsys, ["train", *arguments, "--out", tmp_path / "run"], *words)
    assert not (tmp_path / "run").exists()


def test_out_that_cannot_be_used(tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere/run")):
        for command in (["train", *SMALL, "--epochs", 1], ["verify", "--samples", 1000], ["quickstart"],
                        ["estimators", "--samples", 1000], ["structured-timing"], ["experiment", "binary"]):
            assert_refused(capsys, [*command, "--out", out], "--out")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_out_that_may_not_be_written(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert_refused(capsys, ["train", *SMALL, "--epochs", 1, "--out", tmp_path], "--out")


def test_a_run_is_not_written_over(run, capsys):
    before = snapshot(run)
    assert_refused(capsys, ["train", *SMALL, "--epochs", 1, "--out", run], "--resume")
    assert snapshot(run) == before


def test_foreign_files_are_not_written_over(tmp_path, capsys):
    (tmp_path / "config.json").write_text("somebody else's")
    assert_refused(capsys, ["train", *SMALL, "--epochs", 1, "--out", tmp_path], "config.json")
    assert snapshot(tmp_path) == {"config.json": b"somebody else's"}


def test_resume_without_a_checkpoint(tmp_path, capsys):
    assert_refused(capsys, ["train", *SMALL, "--out", tmp_path / "none", "--resume"], "checkpoint.npz", "missing")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("other", [["--k", "7"], ["--seed", "5"], ["--eps", "0.2"], ["--estimator", "exact"], ["--lr", "0.01"],
                                   ["--no-kl-grad"], ["--as-released"], ["--dataset", "fashion-mnist"]])
def test_resume_with_other_settings(run, capsys, other):
    before = snapshot(run)
    assert_refused(capsys, ["train", *SMALL, *other, "--epochs", 3, "--out", run, "--resume"], "other settings",
                   other[0].strip("-").replace("no-", "").replace("-", "_"))
    assert snapshot(run) == before


def arrays(**changed):
    def damage(content: bytes, path: Path) -> None:
        whole = dict(np.load(path, allow_pickle=False))
        np.savez(path, **{name: array for name, array in {**whole, **changed}.items() if array is not None})
    return damage


DAMAGE = {
    "truncated": lambda content, path: path.write_bytes(content[: len(content) // 2]),
    "empty": lambda content, path: path.write_bytes(b""),
    "text": lambda content, path: path.write_text("epoch,step\n"),
    "a single array": lambda content, path: np.save(open(path, "wb"), np.zeros(3)),
    "bit flipped": lambda content, path: path.write_bytes(content[:3000] + bytes([content[3000] ^ 1]) + content[3001:]),
    "other arrays": lambda content, path: np.savez(path, weights=np.zeros(3)),
    "pickled": arrays(values=np.array([{}], dtype=object)),
    "other length": arrays(values=np.zeros(3, np.float32)),
    "other type": arrays(adam_M=np.zeros(3)),
    "settings not json": arrays(settings="{"),
    "settings of nothing": arrays(settings="{}"),
    "settings of another kind": arrays(settings='{"k": "ten"}'),
    "generator state not json": arrays(rng="?"),
    "generator of another kind": arrays(rng='{"bit_generator": "MT19937"}'),
    "history of another width": arrays(history=np.zeros((2, 3))),
    "step not a number": arrays(adam_t="soon"),
    "step of another run": arrays(adam_t=3),
    "negative step": arrays(adam_t=-1),
    "weights not finite": arrays(values=np.full(1, np.nan, np.float32)),
    "settings with fractions": arrays(settings='{"k": 10.0}'),
    "settings with null": arrays(settings='{"k": null}'),
    "settings with a word for a switch": arrays(settings='{"kl_grad": "yes"}'),
    "settings nested deep": arrays(settings="[" * 100_000),
    "generator state out of range": arrays(rng='{"bit_generator": "PCG64", "state": {"state": -1, "inc": 1}, '
                                               '"has_uint32": 0, "uinteger": 0}'),
    "epochs out of order": arrays(history=np.full((2, 9), 7.0)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_resume_with_a_damaged_or_foreign_checkpoint(run, capsys, damage, recwarn):
    path = run / FILE
    DAMAGE[damage](path.read_bytes(), path)
    before = snapshot(run)
    assert_refused(capsys, ["train", *SMALL, "--epochs", 3, "--out", run, "--resume"], "checkpoint.npz")
    assert snapshot(run) == before


def test_damaged_data_file(tmp_path, capsys):
    (tmp_path / "mnist.npz").write_bytes((data.SHIPPED / "mnist.npz").read_bytes()[:100_000])
    assert_refused(capsys, ["train", *SMALL, "--data-dir", tmp_path, "--out", tmp_path / "run"], "mnist.npz", "damaged")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments, words", [
    (["verify", "--k", "1"], ["--k", "2 ... 50"]),
    (["verify", "--k", "51"], ["--k"]),
    (["verify", "--samples", "10"], ["--samples"]),
    (["verify", "--seed", "-1"], ["--seed"]),
    (["variance", "--samples", "1"], ["--samples"]),
    (["variance", "--k", "1"], ["--k"]),
    (["variance", "--seed", "-1"], ["--seed"]),
    (["benchmark", "--steps", "0"], ["--steps"]),
    (["benchmark", "--batch", "100000"], ["--batch"]),
    (["benchmark", "--rounds", "0"], ["--rounds"]),
    (["estimators", "--n", "0"], ["--n"]),
    (["estimators", "--n", "12", "--k", "4"], ["4^12", "4,096"]),
    (["estimators", "--samples", "5"], ["--samples"]),
    (["structured-timing", "--largest", "99"], ["--largest"]),
    (["experiment", "everything"], ["everything", "binary"]),
    (["experiment", "binary", "--epochs", "0", "--dataset", "mnist"], ["--epochs"]),
    (["experiment", "binary", "--seeds", "0"], ["--seeds"]),
    (["experiment", "binary", "--jobs", "5"], ["--jobs"]),
    (["experiment", "latent-sizes", "--dataset", "omniglot"], ["--data-dir"]),
    (["experiment", "semi-supervised", "--dataset", "omniglot"], ["omniglot", "no labels"]),
    (["experiment", "binary", "--only", "arm", "leg"], ["leg", "arm"]),
    ([], ["COMMAND"]),
    (["tarin"], ["tarin"]),
])
def test_bad_options_elsewhere(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.delenv("REFIMPL_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert_refused(capsys, arguments, *words)
    assert not list(tmp_path.iterdir())


def test_compare_refuses_what_is_not_a_run(run, tmp_path, capsys):
    out = tmp_path / "c.png"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_refused(capsys, ["compare", empty, "--out", out], "config.json")
    assert_refused(capsys, ["compare", tmp_path / "none", "--out", out], "none")
    assert_refused(capsys, ["compare", run, "--out", tmp_path], "folder")
    assert_refused(capsys, ["compare", run, "--out", tmp_path / "no" / "c.png"], "cannot be written")
    (run / "metrics.csv").write_text("epoch\nsoon\n")
    assert_refused(capsys, ["compare", run, "--out", out], "cannot be read")
    (run / "metrics.csv").write_text("epoch,step,test_elbo,seconds\n")
    assert_refused(capsys, ["compare", run, "--out", out], "no epoch")
    assert not out.exists()


def test_compare_refuses_different_data_sets(run, tmp_path, capsys):
    call(capsys, "train", *SMALL, "--dataset", "fashion-mnist", "--epochs", 1, "--out", tmp_path / "other")
    assert_refused(capsys, ["compare", run, tmp_path / "other", "--out", tmp_path / "c.png"], "different data sets")


@pytest.mark.parametrize("name, text", [
    ("config.json", '{"k": null}'), ("config.json", '{"eps": 1' + "0" * 400 + "}"), ("config.json", "[" * 100_000),
    ("config.json", "[]"), ("metrics.csv", "epoch,seconds,test_elbo\n1,nan,-3\n"), ("metrics.csv", "epoch\n" + "x" * 200_000),
    ("metrics.csv", "\0")])
def test_compare_refuses_damaged_runs(run, tmp_path, capsys, name, text):
    (run / name).write_text(text)
    assert_refused(capsys, ["compare", run, "--out", tmp_path / "c.png"], str(run))


def test_names_too_long(tmp_path, capsys, run):
    long = tmp_path / ("x" * 300)
    for arguments in (["train", *SMALL, "--out", long], ["train", *SMALL, "--data-dir", long, "--out", tmp_path / "r"],
                      ["compare", run, "--out", long], ["verify", "--samples", 1000, "--out", long]):
        assert_refused(capsys, arguments)


def test_two_processes_on_one_folder(run, capsys):
    from refimpl.system.files import locked

    with locked(run):
        assert_refused(capsys, ["train", *SMALL, "--epochs", 3, "--out", run, "--resume"], "in use")


@pytest.mark.parametrize("environment, redirect", [({"PYTHONIOENCODING": "ascii"}, ""), ({}, "2>&-")])
def test_odd_streams(tmp_path, environment, redirect):
    done = subprocess.run(f"{sys.executable} -m refimpl verify --samples 1000 --out {tmp_path} {redirect}", shell=True,
                          cwd=ROOT, capture_output=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr


def test_output_that_cannot_be_written(tmp_path):
    done = subprocess.run(f"{sys.executable} -m refimpl verify --samples 1000 --out {tmp_path} >/dev/full", shell=True,
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_variance_refuses_a_folder_that_is_not_a_run(tmp_path, capsys):
    assert_refused(capsys, ["variance", "--run", tmp_path, "--out", tmp_path / "v"], "checkpoint.npz")
    assert not (tmp_path / "v").exists()


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    done = subprocess.run(f"{sys.executable} -m refimpl verify --samples 1000 --out {tmp_path} | head -n 1", shell=True,
                          cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr and "Error" not in done.stderr
