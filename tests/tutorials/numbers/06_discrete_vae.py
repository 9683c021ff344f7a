"""Checks of the numbers in chapter 6.  This runs after the chapter, with its variables."""
# the whole chain
assert abs(sampled.mean() - of_T) < 4 * error < abs(of_T - of_elbo)
# the heights of the plateaus
exact_rows = [-row["test_elbo"] for row in long_runs["exact"]]
assert all(min(abs(nats - heights[used]) for nats in exact_rows) < 1.5 for used in (1, 4, 5))
# the formula of the push, on one image
scores, values = np.array([3.0, 0.0, -1.0]), np.array([0.0, -30.0, 5.0])
chances, ahead_of = softmax(scores), values - values[0]
for e in (0.1, 1.0):
    push = np.expm1(e * ahead_of) / e / (chances @ np.exp(e * ahead_of))
    assert np.allclose(chances * (push - chances @ push), (softmax(scores + e * values) - chances) / e)
# the exits from the plateau
on = lambda name, eps, kl, epoch: exits[name, eps, kl][epoch - 1] > 175
assert not on("capped", 0.1, True, 3) and on("amplified", 0.1, True, 10) and on("exact", None, True, 10)
assert not on("amplified", 1, False, 3) and on("capped", 1, False, 3) and not on("amplified", 1, True, 3)
assert on("noisy-exact", 1, False, 3) and not on("noisy-exact", 1, False, 10)
assert all(on(name, 0.1, False, 3) for name in ("capped", "amplified", "tilted", "noisy-exact"))
assert max(five["the mean alone"]["mnist", 3]) < 175 < min(five["enumeration"]["mnist", 3])
assert max(five["direct: all three"]["mnist", 3]) < 175 < max(five["noise and decoder"]["mnist", 3])
assert np.median(five["direct: all three"]["mnist", 10]) < min(five["the noise alone"]["mnist", 10])
# the published comparison, and the yardsticks
assert abs(bounds[10, "direct"].median - bounds[10, "direct as released"].median) < 0.5
assert max(bounds[50, "direct as released"].values) < min(bounds[50, "direct"].values)
assert min(bounds[50, "direct without KL"].values) > 209 > 197 > max(bounds[50, "direct with falling eps"].values)
assert min(bounds[50, "exact"].values) < min(bounds[50, "direct"].values) < 150 < max(bounds[50, "exact"].values)
assert all(abs(row["one"] - row["exact"]) < 0.15 for row in yardsticks)
assert [row["exact"] - row["relaxed_one"] > 5 for row in yardsticks if np.isfinite(row["relaxed_one"])] == [True]
# the second arg max
ratio = {words: with_it / without for words, (with_it, without) in panels.items()}
assert ratio["untrained"][-1] < 0.2 and ratio["trained"][0] < 0.2 and ratio["trained"][-2] > 1
