"""Checks of the numbers in appendix C.  This runs after the appendix, with its variables."""
assert abs(best_share(10, 1.0) - 0.476) < 5e-4 and abs(best_share(10, 0.1) - 0.9996) < 5e-5
assert all(abs(top_by_search(eps, 100) - best_share(10, eps)) < 2e-4 for eps in (1.0, 0.5, 0.1))
assert abs(top_by_search(0.1, 10) - 0.985) < 2e-3
assert abs(medians["eps-1-kl"] - best_share(10, 1.0)) < 0.03 and behind > 20
assert bounds["eps-1-no-kl"] < bounds["eps-0.1-kl"]
assert 15 <= np.sum(shares["eps-0.1-kl"] < 0.05) <= 30                              # about twenty at 0
assert all(abs(settled[eps] - best_share(10, eps)) < 0.01 for eps in runs)
assert abs(settled[0.2] - 0.946) < 0.002 and abs(best_share(10, 0.2) - 0.954) < 0.0005
assert exact_run[-1] > 0.999
