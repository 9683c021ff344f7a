"""moving.gif writes every frame with its duration, and a GIF that repeats for ever."""
from __future__ import annotations

import numpy as np
import pytest
from matplotlib import image

from moving.gif import write
from refimpl import plots
from refimpl.arguments import InputError
from tests import gif
from tests.plots.bar import Bar


def test_write_creates_all_frames_and_a_still(tmp_path):
    advanced = []
    write(Bar(), tmp_path / "bar.gif", lambda: advanced.append(1))
    assert len(advanced) == 5 and sorted(path.name for path in tmp_path.iterdir()) == ["bar.gif", "bar.png"]
    written = gif.read(tmp_path / "bar.gif")
    assert (written.width, written.height, written.loops) == (160, 80, 0)
    assert sum(written.delays) == 100 and len(written.delays) in (3, 5)     # equal frames may be merged
    black = (image.imread(tmp_path / "bar.png")[..., 0] < 0.5).mean()
    assert black == pytest.approx(3 / 8, abs=0.02)
    still = Bar()
    still.show(3)
    assert plots.digest_of(tmp_path / "bar.png") == plots.figure_digest(still.figure)
    write(Bar(), tmp_path / "again.gif")
    assert (tmp_path / "again.gif").read_bytes() == (tmp_path / "bar.gif").read_bytes()


def test_first_frame_is_the_first_of_the_order(tmp_path):
    class Late(Bar):
        order = [8, 0]

    write(Late(), tmp_path / "late.gif")
    assert np.mean(image.imread(tmp_path / "late.gif")[..., :3] < 128) > 0.95


def test_failed_write_leaves_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write(Bar(), tmp_path / "no" / "bar.gif")

    class Breaks(Bar):
        def show(self, frame):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(Breaks(), tmp_path / "bar.gif")
    assert not list(tmp_path.iterdir())
