"""The data sets: binary 28 x 28 images, kept eight pixels a byte, in three parts.

mnist and fashion-mnist are shipped in data/; omniglot is read from the official files in a folder that the user names.
data/README.md says where all of them come from.
"""
from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl.checks import InputError
from refimpl.system.files import read_arrays

NAMES = ("mnist", "fashion-mnist", "omniglot")
PIXELS = 784
SHIPPED = Path(__file__).resolve().parent.parent / "data"

# sha256 of the images' bytes followed by the labels' bytes: of the content, whatever zlib made of it.
SHA256 = {
    "mnist": "1ed78d835d8742ca662bfbc21257950328b445cb5d9c03e9dad5d0861200e72e",
    "fashion-mnist": "f58ad7bbbe6c702a1adc55d081461d15631795afb498c509988ab117707be1db",
}
FILES = {"mnist": "mnist.npz", "fashion-mnist": "fashion_mnist.npz"}

OMNIGLOT_ADVICE = ("get images_background.zip and images_evaluation.zip from the repository brendenlake/omniglot, "
                   "or chardata.mat of the IWAE code, and name their folder with --data-dir or REFIMPL_DATA_DIR")
TRAIN_DRAWERS, VALID_DRAWERS = 14, 17           # of 20 people who drew each character: 1-14 train, 15-17 valid, 18-20 test
CHARDATA_VALID = 1_345                          # of chardata.mat's 24,345 training images, the last ones


@dataclass(frozen=True)
class Part:
    """Images (N, 98) uint8, eight pixels a byte, row by row; labels (N,) uint8 or None where the data set has none."""

    packed: np.ndarray
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.packed)

    def images(self, rows: np.ndarray | slice = slice(None), dtype: np.dtype = np.float32) -> np.ndarray:
        """These rows as (rows, 784) of 0.0 and 1.0."""
        return np.unpackbits(self.packed[rows], axis=1).astype(dtype)


class Dataset(NamedTuple):
    """Three parts that share no image."""

    name: str
    train: Part
    valid: Part
    test: Part


def load(name: str, data_dir: str | os.PathLike | None = None, limit: int | None = None) -> Dataset:
    """Read a data set.

    name      mnist, fashion-mnist (50,000 / 10,000 / 10,000: the last 10,000 training images are for validation) or
              omniglot
    data_dir  a folder to look in first; without it REFIMPL_DATA_DIR, if set; then the shipped data/
    limit     keep only the first `limit` images of each part

    Raises InputError, one line, if the name is unknown or a file is missing, damaged or not what it should be.
    """
    data_dir = data_dir or os.environ.get("REFIMPL_DATA_DIR") or None
    folder = Path(data_dir) if data_dir else None
    if folder is not None and not folder.is_dir():
        raise InputError(f"--data-dir (or REFIMPL_DATA_DIR) {folder} is not a folder")
    if name in FILES:
        parts = _load_shipped(name, folder)
    elif name == "omniglot":
        parts = _load_omniglot(folder)
    else:
        raise InputError(f"unknown data set {name!r}; there are {', '.join(NAMES)}")
    if limit is not None:
        if limit < 1:
            raise InputError(f"limit must be at least 1 image, got {limit}")
        parts = [Part(part.packed[:limit], None if part.labels is None else part.labels[:limit]) for part in parts]
    return Dataset(name, *parts)


# --- MNIST and Fashion-MNIST --------------------------------------------------------------------------------------------

def _load_shipped(name: str, folder: Path | None) -> list[Part]:
    path = SHIPPED / FILES[name]
    if folder is not None and (folder / FILES[name]).exists():
        path = folder / FILES[name]
    advice = "restore it from the repository, or make it anew with data/pack.py"
    damaged = f"is damaged or not a data file of this package; {advice}"
    arrays = read_arrays(path, missing=f"is missing; {advice}", damaged=damaged)
    if not {"images", "labels"} <= set(arrays):
        raise InputError(f"{path} {damaged}")
    images, labels = arrays["images"], arrays["labels"]
    for key, array, shape in (("images", images, (70_000, PIXELS // 8)), ("labels", labels, (70_000,))):
        if array.shape != shape or array.dtype != np.uint8:
            raise InputError(f"{path}: {key} must be uint8 of shape {shape}, got {array.dtype} {array.shape}; {advice}")
    if hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() != SHA256[name]:
        raise InputError(f"{path}: the sha256 of its content is not that of {name}; {advice}")
    cuts = (slice(0, 50_000), slice(50_000, 60_000), slice(60_000, 70_000))
    return [Part(images[cut], labels[cut]) for cut in cuts]


# --- Omniglot ------------------------------------------------------------------------------------------------------------

def _load_omniglot(folder: Path | None) -> list[Part]:
    if folder is None:
        raise InputError(f"omniglot is not shipped: {OMNIGLOT_ADVICE}")
    archives = sorted(folder.glob("images_background*.zip")) + sorted(folder.glob("images_evaluation.zip"))
    if archives:
        return _from_drawings(archives)
    if (folder / "chardata.mat").exists():
        return _from_chardata(folder / "chardata.mat")
    raise InputError(f"{folder} holds neither images_background*.zip, images_evaluation.zip nor chardata.mat; "
                     f"{OMNIGLOT_ADVICE}")


def area_weights(size: int, target: int) -> np.ndarray:
    """(target, size) matrix that averages `size` pixels over `target` equal intervals, by the length of each overlap."""
    edges = np.linspace(0, size, target + 1)
    pixel = np.arange(size)
    overlap = np.minimum(pixel + 1, edges[1:, None]) - np.maximum(pixel, edges[:-1, None])
    return np.maximum(overlap, 0) * target / size


def _from_drawings(archives: list[Path]) -> list[Part]:
    """ALPHABET/characterNN/XXXX_YY.png, one bit, 105 x 105, ink is 0; YY is one of the 20 people who drew the character.

    The small background sets share two alphabets with each other and all with the full set: a drawing counts once.
    """
    from matplotlib.image import imread                     # here, because only Omniglot needs it

    drawings: dict[str, np.ndarray] = {}                    # by alphabet/character/file
    for path in archives:
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.namelist():
                    key = entry.partition("/")[2]           # the folder's name differs from set to set
                    if entry.endswith(".png") and key not in drawings:
                        drawings[key] = _one_drawing(archive.read(entry), f"{path}: {entry}", imread)
        except (OSError, EOFError, SyntaxError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
            raise InputError(f"{path} is truncated or not a zip file of Omniglot drawings; {OMNIGLOT_ADVICE}") from None
    if not drawings:
        raise InputError(f"{archives[0]} holds no drawings; {OMNIGLOT_ADVICE}")

    weights = area_weights(105, 28)
    parts: tuple[list, list, list] = ([], [], [])
    for key in sorted(drawings):
        try:
            drawer = int(key.rpartition("_")[2].removesuffix(".png"))
        except ValueError:
            raise InputError(f"{archives[0]}: {key} is not named XXXX_YY.png as Omniglot's drawings are; "
                             f"{OMNIGLOT_ADVICE}") from None
        ink = weights @ drawings[key] @ weights.T           # mean ink of each of 28 x 28 areas, rounded at 1/2 below
        part = (drawer > TRAIN_DRAWERS) + (drawer > VALID_DRAWERS)
        parts[part].append(np.packbits(ink.reshape(PIXELS) >= 0.5))
    if not all(parts):
        raise InputError(f"{archives[0]}: the drawings of all 20 people are needed to split them; {OMNIGLOT_ADVICE}")
    return [Part(np.stack(part), None) for part in parts]


def _one_drawing(content: bytes, where: str, imread) -> np.ndarray:
    grey = imread(io.BytesIO(content), format="png")
    if grey.shape != (105, 105):
        raise InputError(f"{where} is {' x '.join(map(str, grey.shape))}, not 105 x 105; {OMNIGLOT_ADVICE}")
    return 1.0 - grey                                       # ink is 1


def _from_chardata(path: Path) -> list[Part]:
    """The IWAE code's file: `data` and `testdata`, (784, N) grey levels in [0, 1], each image stored column by column."""
    from scipy.io import loadmat                            # here, because only this file needs it

    try:
        content = loadmat(path, variable_names=("data", "testdata"))
        grey = [content[key] for key in ("data", "testdata")]
    except Exception:                                       # loadmat raises anything at all on a damaged file
        raise InputError(f"{path} is truncated or not the chardata.mat of the IWAE code; {OMNIGLOT_ADVICE}") from None
    packed = []
    for key, array in zip(("data", "testdata"), grey):
        if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[0] != PIXELS or array.shape[1] == 0 \
                or not ((array >= 0) & (array <= 1)).all():
            raise InputError(f"{path}: {key} must be (784, N) with values in [0, 1], got shape {array.shape}; "
                             f"{OMNIGLOT_ADVICE}")
        rows = array.T.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, PIXELS)
        packed.append(np.packbits(rows >= 0.5, axis=1))
    data, test = packed
    if len(data) <= CHARDATA_VALID:
        raise InputError(f"{path}: more than {CHARDATA_VALID} training images are needed, got {len(data)}")
    return [Part(data[:-CHARDATA_VALID], None), Part(data[-CHARDATA_VALID:], None), Part(test, None)]
