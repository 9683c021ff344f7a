"""List the paper's numbers that this package shows or compares.  Comments give the slide for each number.

The numbers that were read from curves are accurate to about 2 nats.  "Test loss" is minus the bound, in nats per image.

Lorberbom, Gane, Jaakkola and Hazan, "Direct Optimization through arg max for Discrete Variational Auto-Encoder",
NeurIPS 2019.
"""
from __future__ import annotations

EPOCHS = 300                                        # slides 23, 24, 31 and 32
# Slides 23 (k = 10) and 24 (k = 50): data set -> k -> label of the same run here -> test loss.  On the slides, direct
# leaves the KL term out of its gradient, and Gumbel-softmax is straight-through with a falling tau.
CONVERGENCE = {
    "mnist": {10: {"exact": 165.5, "direct as released": 166.0, "straight-through as released": 169.0},
              50: {"exact": 144.0, "direct as released": 141.0, "straight-through as released": 147.0}},
    "fashion-mnist": {10: {"exact": 226.0, "direct as released": 223.5, "straight-through as released": 231.0},
                      50: {"exact": 203.0, "direct as released": 181.0, "straight-through as released": 193.0}},
    "omniglot": {10: {"exact": 156.5, "direct as released": 156.0, "straight-through as released": 161.5},
                 50: {"exact": 157.0, "direct as released": 150.5, "straight-through as released": 153.0}}}
PLATEAU = {"mnist": 208.0, "omniglot": 174.0}       # slide 23: first loss of enumeration and Gumbel-softmax
WALL_CLOCK = 2.0                                    # slide 24: time of enumeration divided by the time of direct
# Slide 21: standard deviation of the encoder's gradient, at eps or tau of 0.1 and of 1.
NOISE = {"direct": (0.0005, 0.0001), "gumbel-softmax": (0.0048, 0.0013)}
# Slide 31: test loss with 15 binary variables, by the label of the same run here.
BINARY = {"direct as released": 152.0, "relax as released": 156.5, "arm": 156.5, "rebar as released": 159.0}
CROSSING = 40                                       # slide 31: from this epoch on, direct is lowest
# Slide 32, right: test loss, which is not a bound here.
STRUCTURED = {"unstructured, no KL": 153.0, "pairwise, w >= 0, start 0": 149.0, "pairwise, any sign": 145.5}
STEP = {"direct, maxflow": 0.05, "joint Gumbel-softmax": 6.0}       # slide 32, left: seconds per step at n = 15
# Slide 33, the table as printed: data set -> method -> (accuracies in %, bounds in nats).  Each of the two has
# one number for each entry of LABELS.
LABELS, LABEL_EPOCHS = (50, 100, 300, 600, 1200), 400
LABELLED = {
    "mnist": {"direct": ((92.6, 95.4, 96.4, 96.7, 96.8), (90.24, 90.93, 90.39, 90.78, 90.45)),
              "gumbel-softmax": ((84.7, 88.4, 91.7, 92.3, 92.7), (91.23, 90.64, 90.01, 89.77, 90.37))},
    "fashion-mnist": {"direct": ((63.3, 67.2, 70.0, 72.1, 73.7), (129.66, 130.822, 130.653, 130.81, 130.921)),
                      "gumbel-softmax": ((61.2, 64.2, 69.3, 71.6, 73.2),
                                         (129.813, 129.054, 130.371, 129.973, 130.063))}}
