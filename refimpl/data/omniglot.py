"""Omniglot, from its own zip files or from the IWAE code's chardata.mat, in a folder that the user names."""
from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from refimpl.checks import InputError
from refimpl.data.base import PIXELS, Part

ADVICE = ("get images_background.zip and images_evaluation.zip from the repository brendenlake/omniglot, "
          "or chardata.mat of the IWAE code, and name their folder with --data-dir or REFIMPL_DATA_DIR")
TRAIN_DRAWERS, VALID_DRAWERS = 14, 17           # of 20 who drew each character: 1-14 train, 15-17 valid, 18-20 test
CHARDATA_VALID = 1_345                          # of chardata.mat's 24,345 training images, the last ones


def read(folder: Path | None) -> tuple[Part, Part, Part]:
    """The parts, without labels: from the zip files if there are any, otherwise from chardata.mat.

    Raises InputError, one line, if `folder` is None or holds neither, or a file is damaged or not what it should be.
    """
    if folder is None:
        raise InputError(f"omniglot is not shipped: {ADVICE}")
    archives = sorted(folder.glob("images_background*.zip")) + sorted(folder.glob("images_evaluation.zip"))
    if archives:
        return _from_drawings(archives)
    if (folder / "chardata.mat").exists():
        return _from_chardata(folder / "chardata.mat")
    raise InputError(f"{folder} holds neither images_background*.zip, images_evaluation.zip nor chardata.mat; "
                     f"{ADVICE}")


def area_weights(size: int, target: int) -> np.ndarray:
    """(target, size) matrix that averages `size` pixels over `target` equal intervals, each by its overlap."""
    edges = np.linspace(0, size, target + 1)
    pixel = np.arange(size)
    overlap = np.minimum(pixel + 1, edges[1:, None]) - np.maximum(pixel, edges[:-1, None])
    return np.maximum(overlap, 0) * target / size


def _from_drawings(archives: list[Path]) -> tuple[Part, Part, Part]:
    """ALPHABET/characterNN/XXXX_YY.png, one bit, 105 x 105, ink is 0; YY is one of the 20 who drew the character.

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
            raise InputError(f"{path} is truncated or not a zip file of Omniglot drawings; {ADVICE}") from None
    if not drawings:
        raise InputError(f"{archives[0]} holds no drawings; {ADVICE}")

    weights = area_weights(105, 28)
    parts: tuple[list, list, list] = ([], [], [])
    for key in sorted(drawings):
        try:
            drawer = int(key.rpartition("_")[2].removesuffix(".png"))
        except ValueError:
            raise InputError(f"{archives[0]}: {key} is not named XXXX_YY.png as Omniglot's drawings are; "
                             f"{ADVICE}") from None
        ink = weights @ drawings[key] @ weights.T           # mean ink of each of 28 x 28 areas, rounded at 1/2 below
        part = (drawer > TRAIN_DRAWERS) + (drawer > VALID_DRAWERS)
        parts[part].append(np.packbits(ink.reshape(PIXELS) >= 0.5))
    if not all(parts):
        raise InputError(f"{archives[0]}: the drawings of all 20 people are needed to split them; {ADVICE}")
    train, valid, test = (Part(np.stack(part), None) for part in parts)
    return train, valid, test


def _one_drawing(content: bytes, where: str, imread) -> np.ndarray:
    grey = imread(io.BytesIO(content), format="png")
    if grey.shape != (105, 105):
        raise InputError(f"{where} is {' x '.join(map(str, grey.shape))}, not 105 x 105; {ADVICE}")
    return 1.0 - grey                                       # ink is 1


def _from_chardata(path: Path) -> tuple[Part, Part, Part]:
    """The IWAE code's file: `data` and `testdata`, (784, N) grey levels in [0, 1], each image column by column."""
    from scipy.io import loadmat                            # here, because only this file needs it

    try:
        content = loadmat(path, variable_names=("data", "testdata"))
        grey = [content[key] for key in ("data", "testdata")]
    except Exception:                                       # loadmat raises anything at all on a damaged file
        raise InputError(f"{path} is truncated or not the chardata.mat of the IWAE code; {ADVICE}") from None
    packed = []
    for key, array in zip(("data", "testdata"), grey):
        if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[0] != PIXELS or array.shape[1] == 0 \
                or not ((array >= 0) & (array <= 1)).all():
            raise InputError(f"{path}: {key} must be (784, N) with values in [0, 1], got shape {array.shape}; "
                             f"{ADVICE}")
        rows = array.T.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, PIXELS)
        packed.append(np.packbits(rows >= 0.5, axis=1))
    data, test = packed
    if len(data) <= CHARDATA_VALID:
        raise InputError(f"{path}: more than {CHARDATA_VALID} training images are needed, got {len(data)}")
    return Part(data[:-CHARDATA_VALID], None), Part(data[-CHARDATA_VALID:], None), Part(test, None)
