"""Check the paper's claims in numbers, compare the estimators with enumeration, and choose eps by a rule."""
