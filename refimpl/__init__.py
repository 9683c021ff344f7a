"""Direct optimisation through arg max in NumPy, with handwritten gradients and an exact value beside every estimate.

Read one_page.py first.  It contains the whole method, from noise to Adam, in 130 lines.  From this package, it imports
only the folder `data`, which loads the images.

The modules below contain the mathematics of the paper (Lorberbom, Gane, Jaakkola and Hazan, NeurIPS 2019;
arXiv 1806.02867) as pure functions:

    gumbel      the Gumbel-max trick                                        Theorem 2
    danskin     the proof of Theorem 1, step by step                        equations 2 to 4
    direct      the gradient at finite eps, and its exact mean              Theorem 1, equation 1
    coupling    the joint law of the two arg maxes, and the variance of the gradient
    finite_eps  the bias of the gradient, and the best eps
    exact       exact values by enumeration
    joint       all joint values of several variables
    check       functions that test whether your implementation computes the direct gradient

The folders of the package use these modules.  A folder imports only these modules, and folders that are further down
in this list:

    cli           the command line, `python -m refimpl`
    report        the result pages, made from the measurements in the repository
    experiments   one file per figure, table or claim of the paper
    runs          training: the protocol of a run, the kinds of runs, the loop, checkpoints
    plots         pictures
    models        encoder, latent variables and decoder; exact bounds; a toy function
    estimators    the gradient estimators, one file per idea
    latent        the families of latent variables, and the solvers of their arg maxes
    nn            networks with handwritten gradients
    data          the images
    system        files that are written completely or not at all, locks on folders, a progress line
"""
from __future__ import annotations

__version__ = "1.0.0"
