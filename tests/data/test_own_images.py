"""Test data sets in a user's file, `--dataset FILE.npz`: reading, splitting, and errors of one line."""
from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refimpl import data
from refimpl.arguments import InputError
from refimpl.data import own_images
from refimpl.experiments.training import compare, tutorial_runs
from refimpl.plots import images as drawing
from refimpl.runs import checkpoint, labelled_images, loop
from refimpl.runs.mixture import MixtureRun, MixtureSettings
from refimpl.runs.vae import VAERun, VAESettings
from tests.cli.helpers import assert_refused, call, snapshot
from tests.settings import mixture, vae
from tests.spies import raw, spied

HIGH, WIDE, NUMBER = 9, 6, 350                              # 54 pixels are not a whole number of bytes


def bars(rng: np.random.Generator, number: int = NUMBER,
         shape: tuple[int, int] = (HIGH, WIDE)) -> dict[str, np.ndarray]:
    """Return images of three classes, with ink on the left, at the top or on the right; 10 % of pixels are flipped."""
    labels = rng.permutation(np.arange(number) % 3)
    images = np.zeros((number, *shape), bool)
    images[labels == 0, :, :shape[1] // 3] = True
    images[labels == 1, :shape[0] // 3] = True
    images[labels == 2, :, -(shape[1] // 3):] = True
    return {"images": images ^ (rng.random(images.shape) < 0.1), "labels": labels}


@pytest.fixture
def file(tmp_path, rng) -> Path:
    path = tmp_path / "my bars.npz"
    np.savez_compressed(path, **bars(rng))
    return path


def written(path: Path, **arrays) -> str:
    np.savez(path, **arrays)
    return str(path)


# --- reading ----------------------------------------------------------------------------------------------------------

def test_images_are_split_into_parts_in_the_order_of_the_file(tmp_path, rng):
    for number in (7, 13, 14, 350):
        arrays = bars(rng, number)
        del arrays["labels"]
        dataset = data.load(written(tmp_path / f"{number}.npz", **arrays))
        held = number // 7
        assert [len(part) for part in dataset[1:]] == [number - 2 * held, held, held]
        whole = np.concatenate([part.images() for part in dataset[1:]])
        assert whole.dtype == np.float32
        np.testing.assert_array_equal(whole, arrays["images"].reshape(number, -1))
        assert dataset.name == f"{number}" and dataset.shape == (HIGH, WIDE)
        assert all(part.labels is None for part in dataset[1:])
        blocks = np.concatenate(list(dataset.train.blocks(4, np.float64)))
        np.testing.assert_array_equal(blocks, whole[:number - 2 * held])
        assert data.load(str(tmp_path / f"{number}.npz"), limit=2).train.first(1).images().shape == (1, HIGH * WIDE)


def test_labels_belong_to_their_images(file):
    with np.load(file) as arrays:
        labels, images = arrays["labels"], arrays["images"]
    dataset = data.load(str(file))
    np.testing.assert_array_equal(dataset.valid.images(), images[250:300].reshape(50, -1))
    np.testing.assert_array_equal(np.concatenate([part.labels for part in dataset[1:]]), labels)
    assert data.get(str(file)).classes == 3 and dataset.train.labels.dtype == np.uint8
    assert dataset.name == "my bars" and data.get(str(file)).sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


GREY = np.array([0.0, 0.25, np.nextafter(0.5, 0), 0.5, 0.75, 1.0])
FORMS = {
    "bool": (np.array([0, 1, 0, 1, 1, 0], bool), [0, 1, 0, 1, 1, 0], 0),
    "uint8, 0 and 1": (np.array([0, 1, 0, 1, 1, 0], np.uint8), [0, 1, 0, 1, 1, 0], 0),
    "int64, 0 and 1": (np.array([0, 1, 0, 1, 1, 0]), [0, 1, 0, 1, 1, 0], 0),
    "uint8, 0 and 255": (np.array([0, 255, 0, 255, 0, 0], np.uint8), [0, 1, 0, 1, 0, 0], 0),
    "uint8, grey": (np.array([0, 1, 127, 128, 254, 255], np.uint8), [0, 0, 0, 1, 1, 1], 4),
    "int16, grey": (np.array([0, 1, 127, 128, 254, 255], ">i2"), [0, 0, 0, 1, 1, 1], 4),
    "float64": (GREY, [0, 0, 0, 1, 1, 1], 4),
    "float32": (GREY.astype(np.float32), [0, 0, 1, 1, 1, 1], 4),                # the third value is rounded to 1/2
    "float16": (np.array([0, 0.1, 0.4, 0.5, 0.6, 1], np.float16), [0, 0, 0, 1, 1, 1], 4),
    "float, 0 and 1": (np.array([0, 1, 0, 1, 1, 0], np.float32), [0, 1, 0, 1, 1, 0], 0),
}


@pytest.mark.parametrize("form", FORMS)
def test_pixels_of_every_dtype_are_rounded_at_one_half_and_grey_ones_counted(tmp_path, form):
    pixels, expected, between = FORMS[form]
    name = written(tmp_path / "x.npz", images=np.tile(pixels, (7, 1)).reshape(7, 2, 3))
    np.testing.assert_array_equal(data.load(name).test.images(), [expected])
    note = data.get(name).note
    assert (note == "") == (between == 0)
    assert not between or f": {7 * between} of 42 pixels ({between / 6:.1%}) lay strictly between white" in note


@pytest.mark.parametrize("shape, expected", [
    ((2, 3), (2, 3)), ((3, 2), (3, 2)), ((1, 1), (1, 1)), ((16,), (4, 4)), ((15,), (1, 15)), ((784,), (28, 28)),
    ((256, 256), (256, 256)), ((40, 13), (40, 13))])
def test_shape_is_that_of_the_file_or_a_square_for_flat_images(tmp_path, rng, shape, expected):
    images = rng.random((7, *shape)) < 0.5
    images[0], images[1] = True, False
    dataset = data.load(written(tmp_path / "x.npz", images=images, else_="text", more=np.arange(3)))
    assert dataset.shape == expected and vae(dataset=str(tmp_path / "x.npz")).resolved().shape == expected
    np.testing.assert_array_equal(dataset.train.images(), images.reshape(7, -1)[:5])


@pytest.mark.slow
def test_mnist_in_a_user_file_gives_the_same_run(tmp_path):
    """The parts are the same, and the run is the same to the bit."""
    x = np.concatenate([raw("mnist", part)[0] for part in ("train", "valid", "test")])
    labels = np.concatenate([raw("mnist", part)[1] for part in ("train", "valid", "test")])
    name = written(tmp_path / "same.npz", images=x.astype(bool).reshape(-1, 28, 28), labels=labels)
    for one, other in zip(data.load(name)[1:], data.load("mnist")[1:]):
        np.testing.assert_array_equal(one.packed, other.packed)
        np.testing.assert_array_equal(one.labels, other.labels)
    for kind, settings in ((VAESettings, dict(k=3, hidden=5)), (MixtureSettings, dict(labels=20, pretrain=1))):
        for each in (name, "mnist"):
            loop.train(kind(dataset=each, limit=300, **settings), 1, tmp_path / f"{kind.__name__}-{Path(each).stem}")
        runs = [checkpoint.load(tmp_path / f"{kind.__name__}-{each}" / checkpoint.FILE) for each in ("same", "mnist")]
        (one, history), (other, expected) = runs
        np.testing.assert_array_equal(one.model.parameters.values, other.model.parameters.values)
        seconds = one.columns.index("seconds")
        np.testing.assert_array_equal(np.delete(history, seconds, 1), np.delete(expected, seconds, 1))


# --- invalid files ----------------------------------------------------------------------------------------------------

ZEROS = np.zeros((14, 3, 3))
HALF = (np.arange(14 * 9).reshape(14, 3, 3) % 2).astype(np.uint8)
LABELS = np.arange(14) % 2


def with_one(value: float) -> np.ndarray:
    grey = HALF.astype(np.float64)
    grey[3, 1, 1] = value
    return grey


BAD = {
    "no images": (dict(pictures=HALF, names=LABELS), ["must hold an array named images; it holds names, pictures"]),
    "one image": (dict(images=HALF[0, 0]), ["(N, height, width) or (N, pixels)", "(3,)"]),
    "a number": (dict(images=np.float64(3)), ["(N, height, width)"]),
    "channels": (dict(images=HALF[..., None]), ["(N, height, width)", "(14, 3, 3, 1)"]),
    "no pixels": (dict(images=np.zeros((14, 0, 3))), ["(14, 0, 3)"]),
    "no image": (dict(images=np.zeros((0, 3, 3))), ["at least 7 images", "got 0"]),
    "six images": (dict(images=HALF[:6]), ["at least 7 images", "got 6"]),
    "too many pixels": (dict(images=np.ones((7, 257, 256), bool)), ["at most 65,536 pixels", "65,792"]),
    "NaN": (dict(images=with_one(np.nan)), ["NaN"]),
    "infinity": (dict(images=with_one(np.inf)), ["[0, 1]", "inf"]),
    "negative": (dict(images=with_one(-0.01)), ["[0, 1]", "-0.01"]),
    "floats to 255": (dict(images=255.0 * HALF), ["[0, 1]", "float64 from 0 to 255"]),
    "a little too much": (dict(images=with_one(1.0001)), ["[0, 1]", "1.0001"]),
    "negative integers": (dict(images=HALF.astype(int) - 1), ["int64 from -1 to 0"]),
    "integers beyond": (dict(images=256 * HALF.astype(np.uint64)), ["uint64 from 0 to 256"]),
    "complex": (dict(images=HALF + 0j), ["complex128"]),
    "text": (dict(images=HALF.astype(str)), ["bool, integers or floats", "<U"]),
    "white": (dict(images=ZEROS), ["every pixel is 0"]),
    "black": (dict(images=ZEROS == 0), ["every pixel is 1"]),
    "nearly white": (dict(images=HALF * 100), ["every pixel is 0 after rounding"]),
    "packed": (dict(images=np.zeros((70_000, 98), np.uint8)), ["packed already", "--dataset mnist"]),
    "labels too few": (dict(images=HALF, labels=LABELS[:13]), ["labels", "(14,)", "(13,)"]),
    "labels in a column": (dict(images=HALF, labels=LABELS[:, None]), ["labels", "(14, 1)"]),
    "float labels": (dict(images=HALF, labels=LABELS / 1), ["labels must be integers, got float64"]),
    "labels of text": (dict(images=HALF, labels=LABELS.astype(str)), ["labels must be integers"]),
    "labels from one": (dict(images=HALF, labels=LABELS + 1), ["0 ... C - 1", "from 1 to 2", "return_inverse"]),
    "negative labels": (dict(images=HALF, labels=-LABELS), ["from -1 to 0"]),
    "labels with a gap": (dict(images=HALF, labels=2 * LABELS), ["2 different ones from 0 to 2"]),
    "sorted labels": (dict(images=HALF, labels=np.arange(14) // 7), []),
    "sorted labels, many": (dict(images=HALF, labels=np.arange(14)), ["the class 10 has no image to train on"]),
    "too many classes": (dict(images=np.repeat(HALF, 20, axis=0), labels=np.arange(280)), ["at most 256 classes"]),
    "objects": (dict(images=np.array([{"a": 1}] * 14, object)), ["unpickled"]),
    "objects beside": (dict(images=HALF, labels=np.array([{"a": 1}] * 14, object)), ["unpickled"]),
}


@pytest.mark.parametrize("case", BAD)
def test_invalid_file_is_rejected_in_one_line(tmp_path, capsys, case):
    arrays, words = BAD[case]
    name = written(tmp_path / "own.npz", **arrays)
    if not words:                                       # this file is valid
        assert data.get(name).classes == 2
        return
    for command in (["train", "--out", tmp_path / "run"], ["semi-supervised", "--out", tmp_path / "run"],
                    ["measure", "variance", "--out", tmp_path / "run"],
                    ["measure", "joint-argmax", "--out", tmp_path / "run"]):
        assert_refused(capsys, [*command, "--dataset", name], "own.npz", *words)
    assert not (tmp_path / "run").exists()


class Trap:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_files_are_never_unpickled(tmp_path, capsys):
    trap = Trap(tmp_path / "sprung")
    pickled = pickle.dumps(trap)
    (tmp_path / "pickle.npz").write_bytes(pickled)
    written(tmp_path / "trap.npz", images=np.array([trap] * 14, object))
    for name in ("pickle.npz", "trap.npz"):
        assert_refused(capsys, ["train", "--dataset", tmp_path / name, "--out", tmp_path / "run"], name, "unpickled")
    assert not trap.path.exists()


DAMAGE = {
    "truncated": lambda content: content[:len(content) // 2],
    "its end is missing": lambda content: content[:-10],
    "empty": lambda content: b"",
    "text": lambda content: b"images, but in words",
    "one bit flipped": lambda content: content[:500] + bytes([content[500] ^ 4]) + content[501:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_file_is_rejected(file, tmp_path, capsys, damage):
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    assert_refused(capsys, ["train", "--dataset", file, "--out", tmp_path / "run"], "my bars.npz", "damaged")


def test_missing_and_special_files_are_rejected(tmp_path, capsys):
    (tmp_path / "folder.npz").mkdir()
    np.save(tmp_path / "one.npy", HALF)
    shutil.copy(tmp_path / "one.npy", tmp_path / "renamed.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    for name, words in (("none.npz", "missing"), ("folder.npz", "not a plain file"), ("pipe.npz", "not a plain file"),
                        ("one.npy", "FILE.npz"), ("renamed.npz", "not an .npz file")):
        for command in (["train"], ["semi-supervised"], ["measure", "variance"], ["measure", "joint-argmax"]):
            assert_refused(capsys, [*command, "--dataset", tmp_path / name, "--out", tmp_path / "run"], name, words)
    assert_refused(capsys, ["experiment", "binary", "--dataset", tmp_path / "one.npz"], "one.npz")
    with pytest.raises(InputError, match="unknown data set 'x.npy'; there are mnist, .*, and FILE.npz of your own"):
        data.get("x.npy")


def test_file_is_cached_and_read_again_when_it_changes(file, monkeypatch, rng):
    reads = spied(monkeypatch, own_images, "read_whole")
    for _ in range(3):
        part = data.load(str(file)).train
    assert len(reads) == 1
    with pytest.raises(ValueError, match="read-only"):
        part.packed[0] = 1
    np.savez_compressed(file, **bars(rng, 70))
    assert len(data.load(str(file)).train) == 50 and len(reads) == 2


# --- runs -------------------------------------------------------------------------------------------------------------

SMALL = ["--batch", 50, "--hidden", 8]


def test_run_on_a_user_file_can_be_resumed_measured_and_compared(file, tmp_path, capsys, monkeypatch):
    tiles = spied(monkeypatch, drawing, "tiles")
    options = ["train", "--dataset", file, "--k", 3, *SMALL]
    status, out, err = call(capsys, *options, "--epochs", 3, "--out", tmp_path / "whole")
    assert status == 0 and err == "" and "my bars: direct" in out and "strictly between" not in out
    assert tiles[-1]["shape"] == (HIGH, WIDE) and tiles[-1]["dataset"] == "my bars"
    assert call(capsys, *options, "--epochs", 1, "--out", tmp_path / "parts")[0] == 0
    assert call(capsys, "train", "--epochs", 3, "--resume", "--out", tmp_path / "parts")[0] == 0
    one, other = (checkpoint.load(tmp_path / each / checkpoint.FILE)[0] for each in ("whole", "parts"))
    np.testing.assert_array_equal(one.model.parameters.values, other.model.parameters.values)
    assert one.model.encoder.layers[0].W.shape == (HIGH * WIDE, 8) and one.settings.shape == (HIGH, WIDE)
    config = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert config["file_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (config["file_height"], config["file_width"], config["file_classes"]) == (HIGH, WIDE, 3)
    for command in (["measure", "codes", tmp_path / "whole"],
                    ["measure", "yardsticks", tmp_path / "whole", "--out", tmp_path / "y"],
                    ["measure", "variance", "--run", tmp_path / "whole", "--samples", 5, "--out", tmp_path / "v"],
                    ["compare", tmp_path / "whole", tmp_path / "parts", "--save", tmp_path / "c.png"]):
        status, _, err = call(capsys, *command)
        assert status == 0 and err == "", err
    monkeypatch.chdir(tmp_path)
    assert call(capsys, *options, "--epochs", 1)[0] == 0 and Path("runs/my bars-direct-k3-seed0").is_dir()


def test_moved_file_is_recognised_by_its_content(file, tmp_path, capsys):
    options = ["train", *SMALL, "--out", tmp_path / "run"]
    assert call(capsys, *options, "--k", 3, "--dataset", file, "--epochs", 1)[0] == 0
    (tmp_path / "new").mkdir()
    moved = file.rename(tmp_path / "new" / "renamed.npz")
    assert_refused(capsys, [*options, "--resume", "--epochs", 2], "my bars.npz is missing")
    assert call(capsys, *options, "--resume", "--epochs", 2, "--dataset", moved)[0] == 0
    assert call(capsys, *options, "--resume", "--epochs", 3)[0] == 0                   # its new path has been stored
    np.savez(file, **bars(np.random.default_rng(1)))
    assert_refused(capsys, [*options, "--resume", "--epochs", 4, "--dataset", file], "was made with other settings")


def test_file_that_is_a_loop_of_links_is_rejected(tmp_path, capsys):
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    assert_refused(capsys, ["train", *SMALL, "--dataset", tmp_path / "loop.npz"], "Too many levels of symbolic links")
    (tmp_path / "mnist.npz").symlink_to("mnist.npz")
    assert_refused(capsys, ["train", *SMALL, "--data-dir", tmp_path], "Too many levels of symbolic links")


def test_run_that_needs_too_much_memory_is_rejected_before_it_starts(file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loop, "available", lambda: 1e6)
    options = ["train", "--dataset", file, "--out", tmp_path / "run", "--epochs", 1, "--batch", 50, "--k", 2]
    assert_refused(capsys, [*options, "--hidden", 5_000], "needs at least", "0.001 GB are available", "--hidden")
    assert not (tmp_path / "run").exists()
    assert call(capsys, *options, "--hidden", 8)[0] == 0


def test_available_memory_respects_the_limit_of_the_process():
    code = ("import resource; from refimpl.system.memory import available; print(available()); "
            "resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9,) * 2); print(available())")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unlimited, limited = map(float, done.stdout.split())
    assert 1e8 < limited <= 4e9 and limited <= unlimited < math.inf


def test_changed_file_is_rejected_by_every_command_that_needs_it(file, tmp_path, capsys, rng):
    run = tmp_path / "run"
    options = ["train", "--dataset", file, "--k", 3, *SMALL]
    assert call(capsys, *options, "--epochs", 1, "--out", run)[0] == 0
    before, content = snapshot(run), file.read_bytes()
    using = (["train", "--epochs", 2, "--resume", "--out", run], [*options, "--epochs", 2, "--resume", "--out", run],
             ["measure", "codes", run], ["measure", "yardsticks", run, "--out", tmp_path / "y"],
             ["measure", "variance", "--run", run])
    first = hashlib.sha256(content).hexdigest()[:12]
    for number, shape in ((NUMBER, (HIGH, WIDE)), (NUMBER + 1, (HIGH, WIDE)), (NUMBER, (WIDE, HIGH)), (NUMBER, (5, 4))):
        np.savez(file, **bars(np.random.default_rng(1), number, shape))
        for command in using:
            assert_refused(capsys, command, "my bars.npz holds other images", first,
                           hashlib.sha256(file.read_bytes()).hexdigest()[:12])
    file.unlink()
    for command in using:
        assert_refused(capsys, command, "my bars.npz is missing")
    with pytest.raises(InputError, match="missing"):
        loop.train(checkpoint.load(run / checkpoint.FILE)[0].settings, 2, run, resume=True)
    assert compare.read_run(run)[0].shape == (HIGH, WIDE)           # stored results need no file
    assert snapshot(run) == before
    file.write_bytes(content)
    assert call(capsys, *options, "--epochs", 2, "--resume", "--out", run)[0] == 0
    np.savez(file, **bars(rng, NUMBER + 7))
    assert call(capsys, *options, "--epochs", 1, "--out", tmp_path / "other")[0] == 0
    assert_refused(capsys, ["compare", run, tmp_path / "other", "--save", tmp_path / "c.png"], "different files")


@pytest.mark.slow
def test_mixture_has_as_many_classes_as_the_file(file, tmp_path, capsys, monkeypatch):
    grids = spied(monkeypatch, drawing, "grids")
    shifts = spied(monkeypatch, labelled_images, "shift")
    options = ["semi-supervised", "--dataset", file, "--labels", 30, "--pretrain", 150, "--batch", 50, "--gaussian", 4]
    status, out, err = call(capsys, *options, "--epochs", 3, "--out", tmp_path / "run")
    assert status == 0 and err == "" and "my bars: direct, 30 labels" in out
    run, history = checkpoint.load(tmp_path / "run" / checkpoint.FILE)
    assert (run.model.n, run.model.k) == (1, 3) and run.samples().shape == (8, 3, HIGH * WIDE)
    assert history[-1, run.columns.index("accuracy")] > 0.9         # ink on the left, at the top, on the right
    assert grids[-1]["shape"] == (HIGH, WIDE) and shifts[-1]["shape"] == (HIGH, WIDE) and shifts[-1]["most"] == 3
    assert_refused(capsys, [*options, "--labels", 31], "--labels", "divisible by the 3 classes")
    assert_refused(capsys, [*options, "--shift", 6], "--shift must be at most 5", "9 x 6")
    assert_refused(capsys, [*options, "--labels", 300], "--labels must be at most 250")
    assert call(capsys, *options[:-1], 2, "--shift", 5, "--epochs", 1, "--out", tmp_path / "shifted")[0] == 0


def test_semi_supervised_rejects_files_without_two_classes(tmp_path, capsys, rng):
    made = bars(rng)
    for arrays in (dict(images=made["images"]), dict(images=made["images"], labels=np.zeros(NUMBER, int))):
        name = written(tmp_path / "x.npz", **arrays)
        assert_refused(capsys, ["semi-supervised", "--dataset", name], "x.npz", "no labels of two classes", "FILE.npz")
        run = tmp_path / f"run-{len(arrays)}"
        assert call(capsys, "train", "--dataset", name, *SMALL, "--epochs", 1, "--out", run)[0] == 0


def test_images_of_one_row_are_not_shifted(tmp_path, rng):
    arrays = bars(rng)
    name = written(tmp_path / "x.npz", images=arrays["images"].reshape(NUMBER, -1), labels=arrays["labels"])
    settings = mixture(dataset=name, labels=30).resolved()
    assert settings.shape == (1, HIGH * WIDE) and settings.shift == 0


def test_commands_report_rounded_pixels_of_a_user_file(tmp_path, capsys, rng):
    images = bars(rng)["images"].astype(np.float32)
    images[0, 0, :2] = 0.4, 0.5
    name = written(tmp_path / "grey.npz", images=images)
    note = f"grey.npz: 2 of {images.size:,} pixels (0.0%) lay strictly between white and black"
    for command in (["measure", "variance", "--samples", 5, "--k", 3],
                    ["measure", "joint-argmax", "--samples", 3, "--n", 3],
                    ["train", *SMALL, "--epochs", 1]):
        status, out, err = call(capsys, *command, "--dataset", name, "--out", tmp_path / command[0])
        assert status == 0 and err == "" and out.count(note) == 1, out


# --- sizes of images --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(HIGH, WIDE), (1, 12), (33, 40)])
def test_tiles_in_pictures_have_the_shape_of_the_images(rng, shape):
    high, wide = shape
    p = rng.uniform(0.01, 0.99, (3, high * wide))
    canvas = np.asarray(drawing.tiles(np.log(p / (1 - p)), "x", "y", shape=shape).axes[0].images[0].get_array())
    grid = np.asarray(drawing.grids([("t", p.reshape(1, 3, -1))], "x", shape).axes[0].images[0].get_array())
    for tile in range(3):
        left, beside = tile * (wide + 3), tile * (wide + 2)
        np.testing.assert_allclose(canvas[8:8 + high, left:left + wide], p[tile].reshape(shape), rtol=1e-6)
        np.testing.assert_array_equal(grid[:high, beside:beside + wide], p[tile].reshape(shape))


def test_registered_data_set_may_have_images_of_any_size(tmp_path, monkeypatch, quick):
    part = data.Part(np.packbits(np.random.default_rng(0).random((60, 35)) < 0.5, axis=1), None, (5, 7))
    monkeypatch.setitem(data.REGISTRY, "small", data.Entry("small", lambda folder: (part,) * 3, None, "", (5, 7)))
    loop.train(vae(dataset="small", batch=60, hidden=4, k=3), 1, tmp_path / "run")
    run, _ = checkpoint.load(tmp_path / "run" / checkpoint.FILE)
    assert run.model.encoder.layers[0].W.shape == (35, 4) and run.settings.file_sha256 is None
    monkeypatch.setitem(data.REGISTRY, "small", data.Entry("small", lambda folder: (part,) * 3, None, "", (7, 5)))
    with pytest.raises(InputError, match="small has images of 5 x 7 pixels, but its entry says 7 x 5"):
        data.load("small")


@pytest.mark.parametrize("kind, run", [(VAESettings, VAERun), (MixtureSettings, MixtureRun)])
def test_old_settings_without_file_fields_are_read_unchanged(kind, run):
    old = {name: value for name, value in kind().resolved().as_dict().items() if not name.startswith("file_")}
    settings = kind.from_dict(old).resolved()
    assert settings == kind().resolved() and settings.shape == (28, 28)
    assert all(value is None for name, value in settings.as_dict().items() if name.startswith("file_"))


def test_runs_of_the_tutorials_load():
    for name in tutorial_runs.PLANS:
        assert tutorial_runs.load(name).settings.pixels == 784


@pytest.mark.parametrize("more, words", [
    (dict(file_height=3), "go together"), (dict(file_sha256="a"), "go together"), (dict(file_classes=3), "go together"),
    (dict(file_sha256="a", file_height=65_536, file_width=65_536), "at most 65536, got"),
    (dict(file_height=0), "file-height must be at least 1"), (dict(file_classes=257), "file-classes must be at most")])
def test_inconsistent_file_settings_are_rejected(more, words):
    with pytest.raises(InputError, match=words):
        vae(**more).resolved()
