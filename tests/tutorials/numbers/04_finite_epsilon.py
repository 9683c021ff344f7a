"""Checks of the numbers in chapter 4.  This runs after the chapter, with its variables."""
from refimpl import exact

# the bias and its order
slope = lambda error: np.log(error[20] / error[0]) / np.log(1e-3 ** (-20 / 119) * 30 ** (20 / 119))
assert abs(slope(one) - 1) < 0.02 and abs(slope(two) - 2) < 0.02
grad_variance = q * ((f - q @ f) ** 2 - q @ (f - q @ f) ** 2)                       # the gradient of Var_q f
leading = 0.001 / 2 * grad_variance
assert np.linalg.norm(mean_of_g(0.001) - gradient - leading) < 0.02 * np.linalg.norm(leading)
assert abs(begins - 1.41) < 0.01 and 6 < ends < 8
rng = np.random.default_rng(0)                      # halving the best value's share costs at most log 2 / eps
for _ in range(100):
    scores, values, e = rng.normal(size=5), 10 * rng.normal(size=5), rng.uniform(0.1, 3)
    p, best_value = softmax(scores), values.argmax()
    halved = np.where(np.arange(5) == best_value, p / 2, p * (1 - p[best_value] / 2) / (1 - p[best_value]))
    assert np.isclose(halved.sum(), 1) and np.log(halved @ np.exp(e * values)) >= np.log(p @ np.exp(e * values) / 2)
# the variance
for e in (0.05, 0.5, 2.0):
    z_eps, stay = (h + e * f + noise).argmax(axis=1), both(h, f, e)
    share = np.array([np.mean((z_star == i) & (z_eps == i)) for i in range(3)])
    assert (np.abs(share - stay) < 4 * np.sqrt(stay * (1 - stay) / M)).all()
    squares = (direct_gradient(h, f, e, noise) - mean_of_g(e)) ** 2
    assert (np.abs(squares.mean(axis=0) - variance(e)) < 4 * squares.std(axis=0) / np.sqrt(M)).all()
    assert np.allclose(direct.stay_probability(h, f, e), stay) and np.allclose(direct.variance(h, f, e), variance(e))
    assert np.allclose(direct.expected_gradient(h, f, e), mean_of_g(e))
sigmoid = lambda score: 1 / (1 + np.exp(-score))    # with two values, the winner changes in the strip
strip = sigmoid(h[1] - h[0]) - sigmoid(h[1] - h[0] + 0.2 * (f[1] - f[0]))
assert np.isclose(1 - both(h[:2], f[:2], 0.2).sum(), strip)
# the best eps, and the rule
assert 100 ** (1 / 3) < factor < 5.5
assert all(abs(off[e] / np.sqrt(direct.mse(h, f, e, 100)) - 1) < 0.1 for e in off)
assert abs(brentq(lambda x: np.expm1(x) / x - 2, 1, 2) - 1.26) < 0.005
for draws in (3, 100, 1_000, 10_000):
    chosen, changed = choose(h, f, noise[:draws])
    assert np.isclose(chosen, choosing_eps.choose(h, f, noise[:draws]).eps)
    assert min(1, (20 / draws) ** (1 / 3)) / np.ptp(f) <= chosen * (1 + 1e-12) and chosen <= 1 / np.ptp(f)
assert sure.eps == 1 / 20 and sure.changed == 0 and sure.reason.endswith("and the estimate 0 may be better")
# the table of the rule
for kind, rows in found.items():
    assert rows[choosing_eps.OVER_BOUND].max() < 4 and rows[choosing_eps.OVER_ZERO].max() < 1.065
    assert "conc" in kind or np.median(rows[choosing_eps.COUNTED]) < np.median(rows["0.1 always"])
assert np.median(found["k = 3 ... 10"][choosing_eps.COUNTED]) < 1.2
assert 2 < np.median(found["k = 3 ... 10"]["0.1 always"]) < 9
always = {kind: rows["1/R always"] for kind, rows in found.items()}
assert abs(np.median(always["k = 3 ... 10"]) - 1.07) < 0.005 and abs(always["k = 3 ... 10"].max() - 1.93) < 0.005
assert abs(always["concentrated"].max() - 417) < 1 and 6.5 < found["concentrated"][choosing_eps.COUNTED].max() < 7.5
assert np.median(found["concentrated"][choosing_eps.CANNOT_TELL]) > 0.9
# which estimator
errors = {name: np.array(values) for name, values in curves.items()}
assert (errors["two-sided"] < 0.55 * errors["one-sided"]).all()
assert (np.diff(np.log(errors["REINFORCE, baseline"])) / np.log(100) < -0.49).all()
assert errors["REINFORCE, baseline"][-1] < errors["two-sided"][-1] < errors["REINFORCE, baseline"][0]
G = (f[z_star] - q @ f)[:, None] * (np.eye(3)[z_star] - q)                          # REINFORCE, sampled
assert np.isclose(np.sqrt(np.sum((G - gradient) ** 2, axis=1).mean()), score_function_error(q @ f, 1), rtol=0.02)
assert score_function_error(-100, 1) > 50
assert np.sum(ratios[1] > 1) == 0 and np.sum(ratios[1_000] > 1) == 2
worse = np.flatnonzero(ratios[1_000] > 1)           # the one-sided bias happens to be small there
for h_3, f_3 in zip(*random[:, worse]):
    at = direct.best_eps(h_3, f_3, 1_000)
    below, there, beyond = (np.linalg.norm(direct.bias(h_3, f_3, e * at)) for e in (0.5, 1, 1.5))
    assert there < below and there < beyond / 3 and at * np.ptp(f_3) > 1
for e in error:
    assert abs(np.mean(paths[e][-1000:]) - settles[e]) < 0.03 and settles[e] < optimum
    assert error[e][0] > error[e][-1] > 0.8 * floor[e]
missed = lambda e: ((softmax(h_all + e * f_all) - q_all) / e @ race.DIRECTION - slopes).mean()
near = np.linspace(0.5, 2, 31)
assert abs(near[np.argmax([missed(e) for e in near])] - 1.25) < 0.11 and abs(missed(1.25) - 0.07) < 5e-4
assert missed(4.5) > 0 > missed(5) and error[0.1][-1] > 1.5 * floor[0.1]
for M_3 in (100, 1_000, 10_000):                    # the eps of the rule works for two-sided, but is not the best
    at = choose(h, f, noise[:M_3])[0]
    assert direct.mse(h, f, at, M_3, two_sided=True) < 0.5 * direct.mse(h, f, at, M_3)
    assert at < direct.best_eps(h, f, M_3, True)
law = direct.joint_law(h, f, 1 / np.ptp(f))
assert 1 - np.trace(law) <= 1.72 / np.ptp(f) * np.abs(exact.gradient(h, f)).sum()
wrong = {name: np.mean(w < race.bottom_of_the_valley()) for name, w in final.items()}
assert wrong["eps = 0.3"] < 0.01 and wrong["eps = 1"] == wrong["REINFORCE, baseline"] == 0
