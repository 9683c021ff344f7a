"""The numbers of the paper, copied independently from its slides."""
from __future__ import annotations

from refimpl.experiments import paper


def test_numbers_of_the_paper_are_those_of_the_slides():
    assert paper.CONVERGENCE["fashion-mnist"][50] == {"exact": 203.0, "direct as released": 181.0,
                                                      "straight-through as released": 193.0}
    assert paper.CONVERGENCE["mnist"] == {
        10: {"exact": 165.5, "direct as released": 166.0, "straight-through as released": 169.0},
        50: {"exact": 144.0, "direct as released": 141.0, "straight-through as released": 147.0}}
    assert paper.BINARY == {"direct as released": 152.0, "relax as released": 156.5, "arm": 156.5,
                            "rebar as released": 159.0}
    assert list(paper.STRUCTURED.values()) == [153.0, 149.0, 145.5] and paper.CROSSING == 40
    assert paper.NOISE == {"direct": (5e-4, 1e-4), "gumbel-softmax": (4.8e-3, 1.3e-3)}
    assert paper.STEP == {"direct, maxflow": 0.05, "joint Gumbel-softmax": 6.0} and paper.WALL_CLOCK == 2
    assert paper.PLATEAU == {"mnist": 208.0, "omniglot": 174.0} and (paper.EPOCHS, paper.LABEL_EPOCHS) == (300, 400)
