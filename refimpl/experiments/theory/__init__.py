"""Check the paper's claims numerically, compare the estimators with the exact gradient, and choose eps by a rule."""
