"""Pack the four IDX files of MNIST or Fashion-MNIST into one small file, as data/README.md describes.

usage: python data/pack.py FOLDER OUT.npz

FOLDER must contain train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte.
The names may end in .gz, and they may have a point before idx, as some programs write them.

OUT.npz then contains two arrays, in which the 60,000 training images come first:

    images   (70000, 98) uint8, with eight pixels per byte; a pixel is 1 where the grey value is at least 128
    labels   (70000,) uint8
"""
from __future__ import annotations

import gzip
import hashlib
import os
import sys
import zlib
from pathlib import Path

import numpy as np

PARTS = (("train", 60_000), ("t10k", 10_000))


def read_idx(folder: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the content of an IDX file of unsigned bytes, which must have this shape.

    The file starts with the bytes 0, 0, 8 and the number of axes.  The size of each axis follows as a big-endian number
    of 32 bits, and then the content.
    """
    names = [each + suffix for each in (name, name.replace("-idx", ".idx")) for suffix in ("", ".gz")]
    path = next((folder / each for each in names if (folder / each).exists()), None)
    if path is None:
        raise SystemExit(f"pack.py: {folder / name} is missing (and no {', '.join(names[1:])} either)")
    if not path.is_file():                                  # a pipe would be waited for
        raise SystemExit(f"pack.py: {path} cannot be read: it is not a plain file")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as problem:
        raise SystemExit(f"pack.py: {path} cannot be read: {problem}")
    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    if not content.startswith(header) or len(content) != len(header) + int(np.prod(shape)):
        raise SystemExit(f"pack.py: {path} is not an IDX file of unsigned bytes of shape {shape}")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def main(arguments: list[str]) -> None:
    if len(arguments) != 2:
        raise SystemExit("usage: python data/pack.py FOLDER OUT.npz")
    folder, out = Path(arguments[0]), Path(arguments[1])
    if not out.name:                                        # of "" and "."
        raise SystemExit(f"pack.py: OUT.npz must name a file, got {arguments[1]!r}")
    grey = np.concatenate([read_idx(folder, f"{part}-images-idx3-ubyte", (n, 28, 28)) for part, n in PARTS])
    labels = np.concatenate([read_idx(folder, f"{part}-labels-idx1-ubyte", (n,)) for part, n in PARTS])
    images = np.packbits(grey.reshape(len(grey), 784) >= 128, axis=1)
    temporary = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    if out.exists() and not out.is_file():
        raise SystemExit(f"pack.py: {out} cannot be written: it is not a plain file")
    try:
        with open(temporary, "xb") as stream:
            np.savez_compressed(stream, images=images, labels=labels)
        os.replace(temporary, out)
    except OSError as problem:
        raise SystemExit(f"pack.py: {out} cannot be written: {problem.strerror}")
    finally:
        temporary.unlink(missing_ok=True)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    print(f"{out}: {out.stat().st_size:,} bytes, sha256 of the images' and the labels' bytes {digest}")


if __name__ == "__main__":
    main(sys.argv[1:])
