"""The theory in numbers: the claims of the paper's mathematics, the estimators against enumeration, a rule for eps."""
