"""Test loading and packing: the shipped files, damaged files, and small versions of Omniglot."""
from __future__ import annotations

import errno
import gzip
import importlib
import os
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_array

from refimpl import data
from refimpl.arguments import InputError
from refimpl.data import mnist, omniglot
from tests import spawn
from tests.spies import raw

OFFICIAL = os.environ.get("REFIMPL_DATA_DIR")
PACK = data.SHIPPED / "pack.py"


@pytest.fixture(autouse=True)
def no_data_dir_from_outside(monkeypatch):
    monkeypatch.delenv("REFIMPL_DATA_DIR", raising=False)


# --- shipped --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_shipped_data_have_the_right_sizes_labels_and_pixels(name):
    dataset = data.load(name)
    assert [len(part) for part in (dataset.train, dataset.valid, dataset.test)] == [50_000, 10_000, 10_000]
    assert np.bincount(dataset.test.labels).tolist() == (
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009] if name == "mnist" else [1000] * 10)
    images = dataset.train.images(slice(0, 100))
    assert images.shape == (100, 784) and images.dtype == np.float32 and set(np.unique(images)) == {0.0, 1.0}
    assert (data.SHIPPED / data.REGISTRY[name].read.file).stat().st_size < 2_700_000
    assert len(data.load(name, limit=7).valid) == 7


def test_first_mnist_image_is_a_centred_5():
    """The 5 has ink in the middle, and none near the edges."""
    five = data.load("mnist").train.images([0]).reshape(28, 28)
    assert data.load("mnist").train.labels[0] == 5
    assert five[:4].sum() == five[-2:].sum() == five[:, :3].sum() == 0 and 80 < five.sum() < 130


@pytest.mark.parametrize("size", [1, 3, 7, 10, 11])
def test_blocks_contain_all_images_in_order(rng, size):
    part = data.Part(rng.integers(0, 256, (10, 98), dtype=np.uint8), None)
    blocks = list(part.blocks(size, np.float64))
    assert all(len(block) == size for block in blocks[:-1]) and 1 <= len(blocks[-1]) <= size
    whole = np.concatenate(blocks)
    assert whole.dtype == np.float64 and whole.shape == (10, 784) and (whole == part.images()).all()
    assert next(part.blocks(size)).dtype == np.float32


def test_blocks_of_an_empty_part_are_empty_and_size_0_is_rejected(rng):
    part = data.Part(np.zeros((0, 98), np.uint8), None)
    assert list(part.blocks(5)) == []
    with pytest.raises(ValueError, match="at least 1"):
        part.blocks(0)


DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "foreign": lambda content: b"not an archive at all",
    "one bit flipped": lambda content: content[:1000] + bytes([content[1000] ^ 4]) + content[1001:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_shipped_file_is_rejected(tmp_path, damage):
    content = (data.SHIPPED / "mnist.npz").read_bytes()
    (tmp_path / "mnist.npz").write_bytes(DAMAGE[damage](content))
    with pytest.raises(InputError, match=r"mnist\.npz.*pack\.py"):
        data.load("mnist", tmp_path)


def save(path, **arrays):
    np.savez(path, **arrays)


@pytest.mark.parametrize("arrays", [
    dict(images=np.zeros((70_000, 98), np.uint8), labels=np.zeros(70_000, np.uint8)),          # wrong content
    dict(images=np.zeros((70_000, 97), np.uint8), labels=np.zeros(70_000, np.uint8)),
    dict(images=np.zeros((70_000, 98), np.int16), labels=np.zeros(70_000, np.uint8)),
    dict(images=np.zeros((70_000, 98), np.uint8)),
    dict(images=np.array([{"pickled": 1}], dtype=object), labels=np.zeros(70_000, np.uint8)),  # never unpickled
])
def test_archives_with_wrong_content_are_rejected(tmp_path, arrays):
    save(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(InputError):
        data.load("mnist", tmp_path)


def test_shipped_file_is_used_if_the_data_folder_lacks_it(tmp_path, monkeypatch):
    monkeypatch.setenv("REFIMPL_DATA_DIR", str(tmp_path))
    assert len(data.load("mnist").train) == 50_000


def test_unknown_name_folder_and_limit_are_rejected(tmp_path):
    for call, words in ((lambda: data.load("cifar"), "mnist, fashion-mnist, omniglot"),
                        (lambda: data.load("mnist", tmp_path / "none"), "not a folder"),
                        (lambda: data.load("mnist", limit=0), "at least 1")):
        with pytest.raises(InputError, match=words):
            call()


def test_unreadable_data_folder_is_rejected(tmp_path, monkeypatch):
    """Otherwise its files would seem to be missing, and the shipped files would be used."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match=f"{tmp_path} cannot be read: Permission denied$"):
        data.load("mnist", tmp_path)


def test_new_data_set_needs_only_a_registry_entry(tmp_path, monkeypatch):
    """load needs only a reader and the entry."""
    def read(folder):
        return tuple(data.Part(np.full((size, 98), 255, np.uint8), None) for size in (5, 2, 1))

    monkeypatch.setitem(data.REGISTRY, "black", data.Entry("black", read, None, "ink everywhere"))
    dataset = data.load("black", tmp_path, limit=3)
    assert [len(part) for part in (dataset.train, dataset.valid, dataset.test)] == [3, 2, 1]
    assert dataset.name == "black" and dataset.train.images().all()


def test_registry_has_the_number_of_classes():
    for name, entry in data.REGISTRY.items():
        assert entry.name == name and entry.summary
        if name != "omniglot":
            assert np.unique(data.load(name).train.labels).tolist() == list(range(entry.classes))
    assert data.NAMES == tuple(data.REGISTRY) and data.REGISTRY["omniglot"].classes is None


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """Return a list to which the path of every archive is added when it is read."""
    mnist._content.cache_clear()
    paths, original = [], mnist.read_arrays

    def counted(path, **more):
        paths.append(path)
        return original(path, **more)

    monkeypatch.setattr(mnist, "read_arrays", counted)
    return paths


def test_unchanged_file_is_read_once(reads, tmp_path):
    for _ in range(2):
        for name in ("mnist", "fashion-mnist"):
            data.load(name)
    data.load("mnist", data.SHIPPED)
    (tmp_path / "link").symlink_to(data.SHIPPED)
    data.load("mnist", tmp_path / "link")
    assert [path.name for path in reads] == ["mnist.npz", "fashion_mnist.npz"]


def test_cached_arrays_are_read_only():
    part = data.load("mnist", limit=10).train
    for array in (part.packed, part.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    part.images()[0] = 1                                                    # each call returns a new array


def test_changed_file_is_read_again(reads, tmp_path):
    path, content = tmp_path / "mnist.npz", (data.SHIPPED / "mnist.npz").read_bytes()
    path.write_bytes(content)
    data.load("mnist", tmp_path)
    times = path.stat()
    path.write_bytes(content[:1_000_000] + bytes([content[1_000_000] ^ 4]) + content[1_000_001:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))              # the same size and modification time
    for _ in range(2):                                                      # an error is not cached
        with pytest.raises(InputError, match="damaged"):
            data.load("mnist", tmp_path)
    path.write_bytes(content)
    data.load("mnist", tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="not a plain file"):
        data.load("mnist", tmp_path)
    assert len(reads) == 4


def test_file_under_the_name_of_another_data_set_is_rejected(tmp_path):
    data.load("mnist")
    (tmp_path / "fashion_mnist.npz").symlink_to(data.SHIPPED / "mnist.npz")
    with pytest.raises(InputError, match="sha256 of its content is not that of fashion-mnist"):
        data.load("fashion-mnist", tmp_path)


# --- pack.py --------------------------------------------------------------------------------------------------------

def write_idx(folder: Path, zipped: bool, rng) -> tuple[np.ndarray, np.ndarray]:
    grey, labels = rng.integers(0, 256, (70_000, 28, 28), dtype=np.uint8), rng.integers(0, 10, 70_000, dtype=np.uint8)
    for part, cut in (("train", slice(0, 60_000)), ("t10k", slice(60_000, None))):
        for name, array in ((f"{part}-images-idx3-ubyte", grey[cut]), (f"{part}-labels-idx1-ubyte", labels[cut])):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
            content = header + array.tobytes()
            path = folder / (name + (".gz" if zipped else ""))
            level = 1 if array.ndim == 1 else 0                             # compressing 55 MB of noise takes seconds
            path.write_bytes(gzip.compress(content, level) if zipped else content)
    return grey, labels


def pack(*arguments):
    return spawn.python(PACK, *arguments)


@pytest.mark.parametrize("zipped", [False, True])
def test_pack_rounds_at_one_half(tmp_path, rng, zipped):
    grey, labels = write_idx(tmp_path, zipped, rng)
    if zipped:                                              # some programs use these names
        for path in list(tmp_path.iterdir()):
            path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    done = pack(tmp_path, tmp_path / "out.npz")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz", allow_pickle=False) as archive:
        assert archive["images"].shape == (70_000, 98) and archive["images"].dtype == np.uint8
        assert np.array_equal(np.unpackbits(archive["images"], axis=1).view(bool), grey.reshape(-1, 784) >= 128)
        assert (archive["labels"] == labels).all()


def test_pack_rejects_bad_arguments_and_damaged_idx_files(tmp_path, rng):
    assert pack(tmp_path).returncode == 1
    for out in ("", "."):
        assert "must name a file" in pack(tmp_path, out).stderr
    done = pack(tmp_path, tmp_path / "out.npz")
    assert done.returncode == 1 and "is missing" in done.stderr
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    done = pack(tmp_path, tmp_path / "out.npz")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "not a plain file" in done.stderr
    (tmp_path / "train-images-idx3-ubyte").unlink()
    write_idx(tmp_path, False, rng)
    (tmp_path / "blocked").mkdir()
    done = pack(tmp_path, tmp_path / "blocked")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "not a plain file" in done.stderr
    with open(tmp_path / "t10k-labels-idx1-ubyte", "r+b") as stream:
        stream.truncate(500)
    done = pack(tmp_path, tmp_path / "out.npz")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "t10k-labels" in done.stderr
    assert not (tmp_path / "out.npz").exists() and not list(tmp_path.glob("*.tmp"))


# --- folder and limit -----------------------------------------------------------------------------------------------

def test_folder_argument_takes_precedence_over_the_environment(tmp_path, monkeypatch):
    seen, part = [], data.Part(np.zeros((4, 98), np.uint8), np.arange(4, dtype=np.uint8))
    entry = data.Entry("mnist", lambda folder: seen.append(folder) or (part, part, part), 10, "")
    monkeypatch.setitem(data.REGISTRY, "mnist", entry)
    named, default = tmp_path / "named", tmp_path / "other"
    named.mkdir()
    default.mkdir()
    for given in (named, None):
        for environment in (str(default), "", None):
            monkeypatch.delenv("REFIMPL_DATA_DIR", raising=False)
            if environment is not None:
                monkeypatch.setenv("REFIMPL_DATA_DIR", environment)
            data.load("mnist", given)
            assert seen.pop() == (given or (default if environment else None))


def test_limited_parts_keep_the_labels_of_their_images():
    for limit in (1, 7):
        for name in ("train", "valid", "test"):
            part = getattr(data.load("mnist", limit=limit), name)
            images, labels = raw("mnist", name, limit)
            assert len(part) == len(part.labels) == len(labels)
            np.testing.assert_array_equal(part.labels, labels)
            np.testing.assert_array_equal(part.images(slice(0, 3)), images[:3])


# --- Omniglot -------------------------------------------------------------------------------------------------------

def png(grey: np.ndarray) -> bytes:
    """Return a PNG file of 8-bit grey values.  It has one channel, as in Omniglot; matplotlib would write four."""
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = grey.shape
    rows = b"".join(b"\0" + row.tobytes() for row in grey.astype(np.uint8))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def drawing(rng) -> np.ndarray:
    """Return 105 x 105 grey values with a few thick strokes; ink is 0."""
    paper = np.full((105, 105), 255)
    for _ in range(3):
        row, column = rng.integers(5, 90, 2)
        paper[row:row + 8, column:] = 0
    return paper


def write_zip(path: Path, drawings: dict[str, np.ndarray]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, grey in drawings.items():
            archive.writestr(f"{path.stem}/{name}", png(grey))


def character(name: str, rng) -> dict[str, np.ndarray]:
    return {f"{name}/0001_{drawer:02d}.png": drawing(rng) for drawer in range(1, 21)}


def test_area_weights_compute_averages():
    weights = omniglot.area_weights(105, 28)
    assert weights.shape == (28, 105)
    assert np.allclose(weights.sum(axis=1), 1) and np.allclose(weights.sum(axis=0), 28 / 105)
    assert weights[0, :4] == pytest.approx([1 / 3.75, 1 / 3.75, 1 / 3.75, 0.75 / 3.75])


def test_omniglot_from_zip_files(tmp_path, rng):
    greek, latin, tagalog = (character(f"{name}/character01", rng) for name in ("Greek", "Latin", "Tagalog"))
    write_zip(tmp_path / "images_background_small1.zip", greek | latin)
    write_zip(tmp_path / "images_background_small2.zip", greek | tagalog)                # Greek, in both, counts once
    dataset = data.load("omniglot", tmp_path)
    assert [len(part) for part in (dataset.train, dataset.valid, dataset.test)] == [42, 9, 9]
    assert dataset.train.labels is None
    expected = greek["Greek/character01/0001_01.png"]
    # reference: a new pixel covers 3.75 x 3.75 old ones, so on a grid four times finer it is a mean of 15 x 15
    fine = np.kron(expected == 0, np.ones((4, 4)))
    assert (dataset.train.images([0]).reshape(28, 28) == (fine.reshape(28, 15, 28, 15).mean(axis=(1, 3)) >= 0.5)).all()


def test_parts_of_omniglot_share_no_drawing(tmp_path, rng):
    write_zip(tmp_path / "images_evaluation.zip", character("A/character01", rng) | character("B/character01", rng))
    dataset = data.load("omniglot", tmp_path)
    rows = np.concatenate([part.packed for part in (dataset.train, dataset.valid, dataset.test)])
    assert len(rows) == 40 == len(np.unique(rows, axis=0))


def test_omniglot_from_chardata(tmp_path, rng):
    grey, test_grey = rng.random((784, 1_400)), rng.random((784, 30))
    savemat(tmp_path / "chardata.mat", {"data": grey, "testdata": test_grey, "target": np.zeros(3)})
    dataset = data.load("omniglot", tmp_path)
    assert [len(part) for part in (dataset.train, dataset.valid, dataset.test)] == [55, 1_345, 30]
    image = test_grey[:, 4].reshape(28, 28).T >= 0.5                                       # stored column by column
    assert (dataset.test.images([4]).reshape(28, 28) == image).all()


@pytest.mark.parametrize("inked", [True, False])
def test_pixel_is_black_if_at_least_half_is_ink(tmp_path, inked):
    """Exactly half of the 3.75 x 3.75 old pixels of a new one is enough."""
    left = np.full((105, 105), 255)
    left[:, :15] = 0                                        # exactly four columns of new pixels
    weights = omniglot.area_weights(105, 28)
    half = np.full((28, 28), 0.5 if inked else 0.499999)
    assert omniglot._one_drawing(png(left), "x", weights).tolist() == np.packbits(
        np.tile(np.arange(28) < 4, 28)).tolist()
    grey = np.repeat(half.reshape(784, 1), 1_346, axis=1)   # one more than the number for validation
    savemat(tmp_path / "chardata.mat", {"data": grey, "testdata": grey[:, :1]})
    dataset = data.load("omniglot", tmp_path)
    assert [len(part) for part in (dataset.train, dataset.valid, dataset.test)] == [1, 1_345, 1]
    for part in (dataset.train, dataset.valid, dataset.test):
        assert part.images([0]).all() == inked == part.images([0]).any()


def test_chardata_without_training_images_is_rejected(tmp_path):
    savemat(tmp_path / "chardata.mat", {"data": np.ones((784, 1_345)), "testdata": np.ones((784, 2))})
    with pytest.raises(InputError, match="more than 1345 training images are needed, got 1345"):
        data.load("omniglot", tmp_path)


def test_omniglot_is_split_by_the_person_who_drew(tmp_path, rng):
    """People 1 to 14 are for training, 15 to 17 for validation, and 18 to 20 for testing."""
    drawings = character("A/character01", rng)
    write_zip(tmp_path / "images_background.zip", drawings)
    dataset, weights = data.load("omniglot", tmp_path), omniglot.area_weights(105, 28)
    packed = [omniglot._one_drawing(png(grey), "x", weights) for grey in drawings.values()]
    for part, people in ((dataset.train, packed[:14]), (dataset.valid, packed[14:17]), (dataset.test, packed[17:])):
        np.testing.assert_array_equal(part.packed, people)


def one_line(problem: pytest.ExceptionInfo) -> str:
    text = str(problem.value)
    assert "\n" not in text
    return text


def test_missing_omniglot_files_are_reported_with_their_source(tmp_path):
    for folder in (None, tmp_path):
        with pytest.raises(InputError) as problem:
            data.load("omniglot", folder)
        assert "brendenlake/omniglot" in one_line(problem) and "--data-dir" in one_line(problem)


def test_damaged_omniglot_files_are_rejected_in_one_line(tmp_path, rng):
    path = tmp_path / "images_background.zip"
    write_zip(path, character("Greek/character01", rng))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"nothing", whole[:300] + b"\x55" * 100 + whole[400:]):
        path.write_bytes(content)
        with pytest.raises(InputError) as problem:
            data.load("omniglot", tmp_path)
        assert "images_background.zip" in one_line(problem)


@pytest.mark.parametrize("drawings, words", [
    ({"Greek/character01/0001_01.png": np.zeros((28, 28))}, "not 105 x 105"),
    ({"Greek/character01/first.png": np.zeros((105, 105))}, "XXXX_YY"),
    ({"Greek/character01/0001_21.png": np.zeros((105, 105))}, "XXXX_YY.*01 ... 20"),
    ({"Greek/character01/0001_00.png": np.zeros((105, 105))}, "XXXX_YY"),
    ({"Greek/character01/0001_-1.png": np.zeros((105, 105))}, "XXXX_YY"),
    ({"Greek/character01/0001_01.png": np.zeros((105, 105))}, "all 20 people"),
    ({}, "holds no drawings"),
])
def test_zip_files_with_wrong_content_are_rejected(tmp_path, drawings, words):
    write_zip(tmp_path / "images_background.zip", drawings)
    with pytest.raises(InputError, match=words):
        data.load("omniglot", tmp_path)


FILES = ("images_background.zip", "images_evaluation.zip", "chardata.mat", "mnist.npz", "fashion_mnist.npz")


@pytest.mark.parametrize("file", FILES)
def test_special_files_are_not_opened(tmp_path, monkeypatch, file):
    os.mkfifo(tmp_path / file)                                              # opening it would wait for a writer

    def forbidden(*arguments, **more):
        raise AssertionError("opened")

    importlib.import_module("scipy.io")                                     # imports open files too
    importlib.import_module("matplotlib.image")
    monkeypatch.setattr("builtins.open", forbidden)
    monkeypatch.setattr("io.open", forbidden)
    with pytest.raises(InputError, match=f"{file} cannot be read: it is not a plain file"):
        data.load({"mnist.npz": "mnist", "fashion_mnist.npz": "fashion-mnist"}.get(file, "omniglot"), tmp_path)


@pytest.mark.parametrize("file", FILES)
def test_error_gives_the_reason_why_a_file_cannot_be_read(tmp_path, monkeypatch, file):
    (tmp_path / file).write_bytes(b"whatever")

    def denied(path, *arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(InputError, match=f"{file} cannot be read: Permission denied$"):
        data.load({"mnist.npz": "mnist", "fashion_mnist.npz": "fashion-mnist"}.get(file, "omniglot"), tmp_path)


def test_link_to_itself_is_rejected(tmp_path):
    (tmp_path / "mnist.npz").symlink_to(tmp_path / "mnist.npz")
    with pytest.raises(InputError, match="mnist.npz cannot be read: Too many levels"):
        data.load("mnist", tmp_path)


def test_broken_link_is_reported_as_a_missing_file(tmp_path):
    for file, name in (("mnist.npz", "mnist"), ("chardata.mat", "omniglot"), ("images_background.zip", "omniglot")):
        (tmp_path / file).symlink_to(tmp_path / "gone")
        with pytest.raises(InputError, match=f"{file} is missing; "):
            data.load(name, tmp_path)


def test_loading_omniglot_does_not_keep_drawings_at_full_size(tmp_path, rng):
    """At full size, Omniglot would need 1.4 GB."""
    write_zip(tmp_path / "images_background.zip", character("A/character01", rng))
    data.load("omniglot", tmp_path)                                         # imports what it needs
    write_zip(tmp_path / "images_background.zip",
              {f"A/character{place:02d}/0001_{drawer:02d}.png": np.zeros((105, 105))
               for place in range(20) for drawer in range(1, 21)})
    tracemalloc.start()
    try:
        data.load("omniglot", tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 400 * 105 * 105


def test_damaged_or_wrong_chardata_is_rejected(tmp_path, rng):
    path = tmp_path / "chardata.mat"
    savemat(path, {"data": rng.random((784, 1_400)), "testdata": rng.random((784, 3))})
    whole = path.read_bytes()
    for content in (whole[:5_000], b"", b"nothing" * 100):
        path.write_bytes(content)
        with pytest.raises(InputError, match="chardata.mat"):
            data.load("omniglot", tmp_path)
    for wrong in ({"data": rng.random((783, 1_400)), "testdata": rng.random((784, 3))},
                  {"data": 255 * rng.random((784, 1_400)), "testdata": rng.random((784, 3))},
                  {"data": rng.random((784, 100)), "testdata": rng.random((784, 3))},
                  {"data": rng.random((784, 1_400)), "testdata": np.zeros((784, 0))},
                  {"data": rng.random((784, 1_400)) + 0j, "testdata": rng.random((784, 3))},
                  {"data": csc_array(np.eye(784, 1_400)), "testdata": rng.random((784, 3))},
                  {"testdata": rng.random((784, 3))}):
        savemat(path, wrong)
        with pytest.raises(InputError, match="chardata.mat"):
            data.load("omniglot", tmp_path)


@pytest.mark.skipif(not OFFICIAL, reason="REFIMPL_DATA_DIR names no folder with Omniglot's zip files")
def test_official_omniglot_files_have_the_right_parts_and_ink():
    """Every character has 20 drawings, and 5 to 15 % of the pixels are ink, in whichever sets exist."""
    dataset = data.load("omniglot", OFFICIAL)
    sizes = [len(part) for part in (dataset.train, dataset.valid, dataset.test)]
    assert sizes[0] * 3 == sizes[1] * 14 == sizes[2] * 14
    assert 0.05 < dataset.test.images().mean() < 0.15
