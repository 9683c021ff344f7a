"""Read Omniglot from the user's folder.  The folder holds the original zip files, or chardata.mat of the IWAE code."""
from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from refimpl.arguments import InputError
from refimpl.data.base import PIXELS, Part
from refimpl.system.files import open_archive, read_whole

ADVICE = ("get images_background.zip and images_evaluation.zip from the repository brendenlake/omniglot, "
          "or chardata.mat of the IWAE code, and name their folder with --data-dir or REFIMPL_DATA_DIR")
MISSING = f"is missing; {ADVICE}"
SIDE = 105                                              # height and width of a drawing in pixels
DRAWERS, TRAIN_DRAWERS, VALID_DRAWERS = 20, 14, 17      # people 1-14: training, 15-17: validation, 18-20: test
CHARDATA_VALID = 1_345                                  # the last 1,345 of 24,345 training images


def read(folder: Path | None) -> tuple[Part, Part, Part]:
    """Read the zip files, or chardata.mat if there are no zip files.  Return three parts without labels.

    Raises InputError if `folder` is None, if it contains none of these files, or if a file cannot be used.
    """
    if folder is None:
        raise InputError(f"omniglot is not shipped: {ADVICE}")
    archives = sorted(folder.glob("images_background*.zip")) + sorted(folder.glob("images_evaluation.zip"))
    if archives:
        return _from_drawings(archives)
    if os.path.lexists(folder / "chardata.mat"):
        return _from_chardata(folder / "chardata.mat")
    raise InputError(f"{folder} holds neither images_background*.zip, images_evaluation.zip nor chardata.mat; "
                     f"{ADVICE}")


def area_weights(size: int, target: int) -> np.ndarray:
    """Return a matrix of shape (target, size) that scales a row of `size` pixels down to `target` pixels.

    Each new pixel is the mean of the old pixels in an interval of size / target pixels.  An old pixel that lies only
    partly in the interval is weighted by the fraction that lies in it.
    """
    edges = np.linspace(0, size, target + 1)
    pixel = np.arange(size)
    overlap = np.minimum(pixel + 1, edges[1:, None]) - np.maximum(pixel, edges[:-1, None])
    return np.maximum(overlap, 0) * target / size


def _from_drawings(archives: list[Path]) -> tuple[Part, Part, Part]:
    """Read the drawings in the zip files, and return them in three parts.

    Each drawing is a file ALPHABET/characterNN/XXXX_YY.png of 105 x 105 pixels.  A pixel with ink is 0.  Person YY
    (1 to 20) made the drawing, and the person determines the part.  A drawing that is in several archives is used once.
    """
    weights = area_weights(SIDE, 28)
    found: dict[str, tuple[int, np.ndarray]] = {}           # the key is ALPHABET/characterNN/XXXX_YY.png
    for path in archives:
        content = read_whole(path, MISSING)
        try:
            with open_archive(content) as archive:
                for entry in archive.namelist():
                    key = entry.partition("/")[2]           # the folder's name differs between archives
                    if entry.endswith(".png") and key not in found:
                        drawer = _drawer(key, path)
                        found[key] = drawer, _one_drawing(archive.read(entry), f"{path}: {entry}", weights)
        except (InputError, MemoryError):
            raise
        except Exception:                                   # zipfile, zlib and imread raise many exceptions
            raise InputError(f"{path} is truncated or not a zip file of Omniglot drawings; {ADVICE}") from None
    if not found:
        raise InputError(f"{archives[0]} holds no drawings; {ADVICE}")

    parts: tuple[list, list, list] = ([], [], [])
    for key in sorted(found):
        drawer, drawing = found[key]
        parts[(drawer > TRAIN_DRAWERS) + (drawer > VALID_DRAWERS)].append(drawing)
    if not all(parts):
        raise InputError(f"{archives[0]}: the drawings of all 20 people are needed to split them; {ADVICE}")
    train, valid, test = (Part(np.stack(part), None) for part in parts)
    return train, valid, test


def _drawer(key: str, path: Path) -> int:
    digits = key.rpartition("_")[2].removesuffix(".png")
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= DRAWERS):
        raise InputError(f"{path}: {key} is not named XXXX_YY.png, YY in 01 ... {DRAWERS}, as Omniglot's drawings are; "
                         f"{ADVICE}")
    return int(digits)


def _one_drawing(content: bytes, where: str, weights: np.ndarray) -> np.ndarray:
    """Read a drawing from a PNG file and scale it down to 28 x 28 pixels; return packed bits of shape (98,).

    Each drawing is scaled down as soon as it is read, because all 32,460 drawings in full size would take 1.4 GB.
    """
    from matplotlib.image import imread                     # imported here: only Omniglot needs it

    grey = imread(io.BytesIO(content), format="png")
    if grey.shape != (SIDE, SIDE):
        raise InputError(f"{where} is {' x '.join(map(str, grey.shape))}, not {SIDE} x {SIDE}; {ADVICE}")
    ink = weights @ (1.0 - grey) @ weights.T                # the mean ink in each of 28 x 28 areas
    return np.packbits(ink.reshape(PIXELS) >= 0.5)


def _are_grey_levels(array) -> bool:
    """Return whether `array` is a dense array of shape (784, N) with numbers in [0, 1]."""
    return (isinstance(array, np.ndarray) and array.dtype.kind in "fiu" and array.ndim == 2
            and array.shape[0] == PIXELS and array.shape[1] > 0 and bool(((array >= 0) & (array <= 1)).all()))


def _from_chardata(path: Path) -> tuple[Part, Part, Part]:
    """Return the three parts from the file chardata.mat of the IWAE code.

    The file's arrays `data` and `testdata` have shape (784, N) and contain grey levels in [0, 1].  Each column of an
    array is an image, in which the pixels are stored column by column.
    """
    from scipy.io import loadmat                            # imported here: only this file needs it

    stream = io.BytesIO(read_whole(path, MISSING))
    try:
        content = loadmat(stream, variable_names=("data", "testdata"))
        grey = [content[key] for key in ("data", "testdata")]
    except MemoryError:
        raise
    except Exception:                                       # loadmat raises many different exceptions
        raise InputError(f"{path} is truncated or not the chardata.mat of the IWAE code; {ADVICE}") from None
    packed = []
    for key, array in zip(("data", "testdata"), grey):
        if not _are_grey_levels(array):
            raise InputError(f"{path}: {key} must be (784, N) with values in [0, 1], got shape {array.shape}; "
                             f"{ADVICE}")
        rows = array.T.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, PIXELS)
        packed.append(np.packbits(rows >= 0.5, axis=1))
    data, test = packed
    if len(data) <= CHARDATA_VALID:
        raise InputError(f"{path}: more than {CHARDATA_VALID} training images are needed, got {len(data)}")
    return Part(data[:-CHARDATA_VALID], None), Part(data[-CHARDATA_VALID:], None), Part(test, None)
