"""A record of a run and a record of a table of measurements, for the tests."""
from __future__ import annotations

import math

from refimpl.experiments.records import Record

MORE = {"valid_elbo": math.nan, "test_log_likelihood": -190.0, "gap": 1.0, "evaluations": 8e5}
RUN = Record("binary", "rebar as released", {"dataset": "mnist", "seed": 3, "eps": None, "lr": 1e-3}, ("abc", "def"),
             [{"epoch": 1.0, "test_elbo": math.nan, "seconds": 4.5, **MORE},
              {"epoch": 2.0, "test_elbo": -200.125, "seconds": 9.25, **MORE}])
TABLE = Record("estimators", "n = 4, k = 2", {"samples": 100}, ("abc",),
               [{"name": name, "bias": bias, "z": 2.0, "variance": 0.5, "evaluations": 4.0, "claims": 1.0, "found": 1.0}
                for name, bias in (("exact", 1e-14), ("arm, old", 0.25))])
