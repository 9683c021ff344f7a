"""Direct optimisation through arg max, in NumPy: every gradient by hand, every estimate beside its exact value.

To read first: one_page, the whole method from noise to Adam in 130 lines, which uses nothing below but the images.

The ground floor is the paper (Lorberbom, Gane, Jaakkola and Hazan, NeurIPS 2019; arXiv 1806.02867) as pure functions:

    gumbel    the Gumbel-max trick                                        Theorem 2
    danskin   the proof of Theorem 1, step by step                        equations 2 to 4
    direct    the finite-eps gradient and its exact mean                  Theorem 1, equation 1
    coupling  the joint law of the two arg maxes, and the variance
    error     the bias, and the best eps
    exact     the truth by enumeration
    joint     all joint values of several variables
    check     whether a gradient of your own is direct's

Beside them, a folder an idea, each importing only what stands below it here:

    cli           the command line, `python -m refimpl`
    report        every measured number of the pages, from committed rows
    experiments   one file a figure, table or claim of the paper
    runs          training: the protocol of a run, its kinds, the loop, checkpoints
    plots         pictures
    models        encoder, latent variables, decoder; exact bounds; a toy
    estimators    the gradient estimators, one file an idea
    latent        the families of latent variables, and the solvers of their arg maxes
    nn            hand-written networks
    data          the images
    system        files written whole, folders locked, a progress line
"""
from __future__ import annotations

__version__ = "1.0.0"
