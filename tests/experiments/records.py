"""A run and a table as they are kept."""
from __future__ import annotations

import math

from refimpl.experiments.rows import Record

RUN = Record("binary", "rebar as released", {"dataset": "mnist", "seed": 3, "eps": None, "lr": 1e-3}, ("abc", "def"),
             [{"epoch": 1.0, "test_elbo": -200.125, "seconds": 4.5}, {"epoch": 2.0, "test_elbo": math.nan,
                                                                     "seconds": 9.25}])
TABLE = Record("estimators", "n = 4, k = 2", {"samples": 100}, ("abc",),
               [{"name": "exact", "bias": 1e-14}, {"name": "arm, old", "bias": 0.25}])
