"""A bad option is refused with status 2 and a one-line message, before anything is written."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.helpers import SMALL, assert_refused, snapshot


@pytest.mark.parametrize("arguments, words", [
    (["--dataset", "cifar"], ["cifar", "fashion-mnist"]),
    (["--estimator", "magic"], ["magic", "gumbel-softmax"]),
    (["--k", "1"], ["--k", "at least 2"]),
    (["--k", "0"], ["--k"]),
    (["--k", "1000000000"], ["--k", "at most"]),
    (["--k", "ten"], ["--k", "ten"]),
    (["--eps", "0"], ["--eps", "at least 1e-06"]),
    (["--eps", "-0.1"], ["--eps"]),
    (["--eps", "nan"], ["--eps"]),
    (["--eps", "inf"], ["--eps"]),
    (["--estimator", "gumbel-softmax", "--tau", "0"], ["--tau"]),
    (["--estimator", "gumbel-softmax", "--tau", "nan"], ["--tau"]),
    (["--estimator", "gumbel-softmax", "--eps", "0.1"], ["--eps", "--tau"]),
    (["--tau", "0.1"], ["--tau", "--eps"]),
    (["--estimator", "exact", "--eps", "0.1"], ["--eps", "direct", "which has none"]),
    (["--epochs", "0"], ["--epochs", "at least 1"]),
    (["--epochs", "-3"], ["--epochs"]),
    (["--batch", "0"], ["--batch"]),
    (["--batch", "50001"], ["--batch", "50000"]),
    (["--limit", "30", "--batch", "31"], ["--batch", "30"]),
    (["--limit", "0"], ["--limit"]),
    (["--lr", "0"], ["--lr"]),
    (["--lr", "nan"], ["--lr"]), (["--lr", "1e308"], ["--lr", "1000"]),
    (["--lr", "5e-324"], ["--lr", "at least 1e-20"]),
    *[(["--estimator", name, "--eps", value], ["--eps", "at least 1e-06 and at most 1000000"])
      for name in ("tilted", "local-tilted", "noisy-exact", "direct") for value in ("5e-324", "1e-300", "1e300")],
    *[(["--estimator", name, "--tau", value], ["--tau", "at least 1e-06 and at most 1000000"])
      for name in ("reinmax", "relax", "gumbel-softmax") for value in ("1e-300", "1e308")],
    (["--exact-every", "9" * 300], ["--exact-every", "at most"]), (["--batch", "9" * 300], ["--batch", "at most"]),
    (["--hidden", "0"], ["--hidden"]),
    (["--seed", "-1"], ["--seed"]),
    (["--as-released", "--eps", "0.1"], ["--as-released", "--eps"]),
    (["--as-released", "--kl-grad"], ["--as-released", "kl-grad"]),
    (["--data-dir", "/no/such/folder"], ["/no/such/folder"]),
    (["--dataset", "omniglot"], ["--data-dir", "brendenlake/omniglot"]),
    (["--no-n"], ["--no-n"]), (["--epo", "3"], ["--epo"]),            # options cannot be abbreviated
    (["--frobnicate"], ["--frobnicate"]),
    (["--n", "0"], ["--n", "at least 1"]),
    (["--n", "201"], ["--n", "at most 200"]),
    (["--n", "200", "--k", "100"], ["--n", "--k", "10000"]),
    (["--n", "5", "--k", "1"], ["--k"]),
    (["--exact-every", "0"], ["--exact-every"]),
    (["--n", "13", "--k", "2", "--estimator", "exact"], ["2^13 = 8,192", "4,096", "local-expectation"]),
    (["--n", "13", "--k", "2", "--estimator", "direct-joint"], ["8,192"]),
    (["--n", "5", "--k", "3", "--estimator", "arm"], ["arm", "--k 3", "variables with two values", "direct"]),
    (["--estimator", "disarm"], ["disarm", "with two values", "direct"]),
    (["--n", "5", "--family", "pairwise"], ["--k 2"]),
    (["--n", "5", "--k", "2", "--family", "triples"], ["triples"]),
    (["--n", "1", "--k", "2", "--family", "pairwise"], ["--n", "2 ... 200"]),
    (["--n", "21", "--k", "2", "--family", "pairwise", "--solver", "enumeration"],
     ["--n", "2 ... 20", "enumeration"]),
    (["--n", "5", "--k", "2", "--family", "pairwise", "--solver", "simplex"], ["simplex"]),
    (["--n", "5", "--k", "2", "--family", "pairwise", "--estimator", "rebar"], ["rebar", "direct"]),
    (["--n", "5", "--k", "2", "--family", "pairwise", "--solver", "maxflow", "--no-non-negative"],
     ["maxflow", "negative"]),
    (["--n", "5", "--k", "2", "--family", "pairwise", "--solver", "milp", "--absolute"], ["--absolute", "milp"]),
    (["--n", "5", "--k", "2", "--family", "pairwise", "--kl-grad"], ["--kl-grad"]),
    (["--n", "17", "--k", "2", "--family", "pairwise", "--solver", "enumeration", "--estimator", "gumbel-softmax"],
     ["2^17 = 131,072"]),
    (["--n", "5", "--k", "2", "--solver", "maxflow"], ["--solver", "the family pairwise"]),
    (["--n", "5", "--k", "2", "--no-non-negative"], ["--non-negative", "the family pairwise"]),
    (["--estimator", "rebar", "--eps", "1"], ["--eps", "--tau"]),
    (["--eps", "ten"], ["--eps", "a number", "ten"]), (["--eps", "1e7"], ["--eps", "at most 1000000"]),
    (["--set", "eps=0"], ["--eps", "at least 1e-06"]), (["--set", "eps=ten"], ["--eps", "a number"]),
    (["--set", "eps"], ["--set", "NAME=VALUE", "eps"]), (["--set", "=1"], ["--set", "NAME=VALUE"]),
    (["--set"], ["--set"]),
    (["--set", "epz=0.1"], ["epz", "did you mean 'eps'?"]), (["--set", "k=3"], ["unknown setting 'k'", "eps"]),
    (["--estimator", "rebar", "--set", "batch_mean=maybe"], ["--batch-mean", "true or false", "maybe"]),
    (["--estimator", "exact", "--set", "lam=1"], ["lam", "there are none"]),
    (["--estimator", "drect"], ["drect", "did you mean 'direct'?"]),
    (["--dataset", "mnits"], ["mnits", "did you mean 'mnist'?"]),
    (["--family", "pairwize"], ["pairwize", "did you mean 'pairwise'?"]),
    (["--n", "5", "--k", "2", "--family", "pairwise", "--solver", "maxflw"], ["--solver", "did you mean 'maxflow'?"]),
    (["--schedule", "relesed"], ["relesed", "did you mean 'released'?"]),
    (["--learn-from", "z_satr"], ["z_satr", "did you mean 'z_star'?"]),
    (["--n", "8", "--k", "2", "--family", "paths", "--rows", "3"], ["--rows", "divide --n 8", "3"]),
    (["--n", "9", "--k", "2", "--family", "paths", "--rows", "0"], ["--rows", "at least 1"]),
    (["--n", "9", "--k", "2", "--family", "paths", "--rows", "two"], ["--rows", "a whole number"]),
    (["--n", "9", "--k", "3", "--family", "paths"], ["--family paths", "--k 2"]),
    (["--n", "9", "--k", "2", "--family", "paths", "--estimator", "reinmax"], ["reinmax", "paths", "direct"]),
])
def test_train_refuses_bad_options(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.delenv("REFIMPL_DATA_DIR", raising=False)
    assert_refused(capsys, ["train", *arguments, "--out", tmp_path / "run"], *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments, words", [
    (["--labels", "55"], ["--labels", "divisible", "10"]),
    (["--labels", "-10"], ["--labels", "at least 0"]),
    (["--labels", "60000"], ["--labels", "at most 50000"]),
    (["--labels", "50000"], ["--labels", "rarest class"]),
    (["--labels", "ten"], ["--labels"]),
    (["--limit", "100", "--batch", "50", "--labels", "110"], ["--labels", "at most 100"]),
    (["--estimator", "arm"], ["arm", "direct", "rebar"]),
    (["--dataset", "omniglot"], ["omniglot", "no labels", "fashion-mnist"]),
    (["--dataset", "cifar"], ["cifar"]),
    (["--labelled-term", "hinge"], ["hinge", "cross-entropy"]),
    (["--eps", "0"], ["--eps"]),
    (["--tau", "1"], ["--tau", "--eps"]),
    (["--gaussian", "0"], ["--gaussian"]),
    (["--shift", "28"], ["--shift", "27"]),
    (["--beta", "nan"], ["--beta"]), (["--beta", "1e308"], ["--beta", "at most 1000000"]),
    (["--beta", "-1"], ["--beta"]),
    (["--beta-epochs", "9" * 300], ["--beta-epochs", "at most 1000000000"]),
    (["--label-eps", "1e308"], ["--label-eps", "at least 1e-06 and at most 1000000"]),
    (["--label-eps", "1e-308"], ["--label-eps"]),
    (["--label-weight", "1e308"], ["--label-weight", "at most 1000000"]),
    (["--image-weight", "-1"], ["--image-weight"]),
    (["--pretrain", "-1"], ["--pretrain"]),
    (["--batch", "50001"], ["--batch", "50000"]),
    (["--epochs", "0"], ["--epochs", "at least 1"]),
    (["--as-released", "--beta", "2"], ["--as-released", "beta"]),
    (["--dataset", "faces", "--labels", "-1"], ["--labels", "at least 0"]),
    (["--dataset", "faces", "--limit", "300", "--labels", "301"], ["--labels", "at most 300"]),
    (["--dataset", "faces", "--limit", "300", "--labels", "300"],
     ["--labels", "at most 256", "rarest combination of attributes has 32 of the 300"]),
    (["--dataset", "faces", "--labels", "2.5"], ["--labels", "2.5"]),
    (["--dataset", "faces", "--estimator", "arm"], ["arm", "direct"]),
    (["--resume"], ["checkpoint.npz", "missing"])])
def test_semi_supervised_refuses_bad_options(tmp_path, capsys, arguments, words):
    assert_refused(capsys, ["semi-supervised", *arguments, "--out", tmp_path / "run"], *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments, words", [
    (["verify", "--k", "1"], ["--k must be at least 2 and at most 50, got 1"]),
    (["verify", "--k", "51"], ["--k"]),
    (["verify", "--samples", "10"], ["--samples"]),
    (["verify", "--seed", "-1"], ["--seed"]),
    (["measure", "choose-eps", "--average", "1"], ["--average", "at least 2 and at most 100000"]),
    (["measure", "choose-eps", "--problems", "0"], ["--problems", "at least 1 and at most 1000"]),
    (["measure", "choose-eps", "--seed", "-1"], ["--seed"]),
    (["explore", "--h", "1,2"], ["--h and --f go together"]),
    (["explore", "--h", "1,2", "--f", "3,4"], ["--h and --f", "three", "got 2", "walls"]),
    (["explore", "--h", "1,2,3,4", "--f", "1,2,3,4", "--save", "x.png"], ["three", "got 4"]),
    (["explore", "--h", "1,nan,0", "--f", "3,4,5"], ["--h"]),
    (["explore", "--h", "1,11,0", "--f", "3,4,5"], ["--h", "at most 10", "11"]),
    (["explore", "--h", "1,2,0", "--f", "3,3,3"], ["--f", "different"]),
    (["explore", "--h", "1,x,0", "--f", "3,3,3"], ["--h", "numbers with commas"]),
    (["explore", "--eps", "0"], ["--eps", "at least 0.01 and at most 10"]),
    (["explore", "--eps", "nan", "--save", "x.png"], ["--eps", "nan"]),
    (["explore", "--samples", "9"], ["--samples", "at least 10 and at most 20000"]),
    (["explore", "--samples", "20001"], ["--samples"]),
    (["explore", "--seed", "-1"], ["--seed", "at least 0"]),
    (["explore", "--save", "x.jpg"], ["x.jpg", ".svg"]),
    (["explore", "--save", ""], [".svg"]),
    (["explore", "--save", "no/such/folder.png"], ["no/such/folder.png", "cannot be written"]),
    (["measure", "variance", "--samples", "1"], ["--samples"]),
    (["measure", "variance", "--k", "1"], ["--k"]),
    (["measure", "variance", "--seed", "-1"], ["--seed"]),
    (["measure", "benchmark", "--steps", "0"], ["--steps"]),
    (["measure", "benchmark", "--batch", "100000"], ["--batch"]),
    (["measure", "benchmark", "--rounds", "0"], ["--rounds"]),
    (["measure", "estimators", "--n", "0"], ["--n"]),
    (["measure", "estimators", "--n", "12", "--k", "4"], ["4^12", "4,096"]),
    (["measure", "estimators", "--samples", "5"], ["--samples"]),
    (["measure", "structured-timing", "--largest", "99"], ["--largest"]),
    (["experiment", "everything"], ["everything", "binary"]),
    (["experiment", "binary", "--epochs", "0", "--dataset", "mnist"], ["--epochs"]),
    (["experiment", "binary", "--seeds", "0"], ["--seeds"]),
    (["experiment", "binary", "--jobs", "65"], ["--jobs", "at most 64 and at least 1"]),
    (["experiment", "binary", "--jobs", "0"], ["--jobs"]),
    (["experiment", "latent-sizes", "--dataset", "omniglot"], ["--data-dir"]),
    (["experiment", "semi-supervised", "--dataset", "omniglot"], ["omniglot", "no labels"]),
    (["experiment", "faces", "--dataset", "mnist"], ["mnist", "attributes", "there are faces"]),
    (["experiment", "faces", "--only", "direct, 70 labels"], ["direct, 70 labels", "direct, 50 labels"]),
    (["experiment", "binary", "--only", "arm", "leg"], ["leg", "arm"]),
    ([], ["COMMAND"]),
    (["tarin"], ["tarin"]),
])
def test_other_commands_refuse_bad_options(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.delenv("REFIMPL_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert_refused(capsys, arguments, *words)
    assert not list(tmp_path.iterdir())


def test_unusable_out_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere/run")):
        for command in (["train", *SMALL, "--epochs", 1], ["verify", "--samples", 1000], ["quickstart"],
                        ["measure", "estimators", "--samples", 1000], ["measure", "structured-timing"],
                        ["experiment", "binary"]):
            assert_refused(capsys, [*command, "--out", out], "--out")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_out_folder_is_refused(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert_refused(capsys, ["train", *SMALL, "--epochs", 1, "--out", tmp_path], "--out")


def test_existing_run_is_not_overwritten(run, capsys):
    before = snapshot(run)
    assert_refused(capsys, ["train", *SMALL, "--epochs", 1, "--out", run], "--resume")
    assert snapshot(run) == before


def test_foreign_files_are_not_overwritten(tmp_path, capsys):
    (tmp_path / "config.json").write_text("somebody else's")
    assert_refused(capsys, ["train", *SMALL, "--epochs", 1, "--out", tmp_path], "config.json")
    assert snapshot(tmp_path) == {"config.json": b"somebody else's"}


def test_file_names_that_are_too_long_are_refused(tmp_path, capsys, run):
    long = tmp_path / ("x" * 300)
    for arguments in (["train", *SMALL, "--out", long], ["train", *SMALL, "--data-dir", long, "--out", tmp_path / "r"],
                      ["compare", run, "--save", long], ["verify", "--samples", 1000, "--out", long]):
        assert_refused(capsys, arguments)
