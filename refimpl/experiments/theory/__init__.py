"""Check the theory in numbers: the paper's claims, the estimators compared with enumeration, and a rule for eps."""
