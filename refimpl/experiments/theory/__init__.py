"""Numerical checks of the theory: the paper's claims, the estimators compared with enumeration, and a rule for eps."""
