"""Checks of the numbers in chapter 2.  This runs after the chapter, with its variables."""
strip = density[(t > wall) & (t < tilted_wall)].mean() * (tilted_wall - wall)
assert abs(strip - changed) < 4 * np.sqrt(changed / M) + 0.001                  # 0.001: the grid of t is coarse
at_wall = np.exp(-wall) / (1 + np.exp(-wall)) ** 2
assert np.isclose(at_wall, q_coat * (1 - q_coat), rtol=1e-14) and np.isclose(slope, (f[1] - f[0]) * at_wall, rtol=1e-8)
assert abs(np.mean(delta_1 > wall) - q_coat) < 4 * np.sqrt(q_coat * (1 - q_coat) / M)
assert 5 < share[1.0] / share[0.1] < 7
assert [np.sum((eps * f + h + noise[:150]).argmax(axis=1) != z_star[:150]) for eps in (1.0, 0.1)] == [38, 5]
assert np.allclose(rho + np.diag(q**2), np.outer(q, q), rtol=0, atol=1e-10)
by_walls = np.array([sum(rho[i, j] * (f[j] - f[i]) for i in range(3)) for j in range(3)])
assert np.allclose(truth, by_walls, rtol=0, atol=1e-8)
assert np.allclose((chances(gumbel_law, h + 1e-5 * f) - q) / 1e-5, by_walls, rtol=0, atol=1e-4)
assert np.allclose(kink, [-0.25, 0, 0.25], rtol=0, atol=1e-5)
for eps in (1.0, 0.3, 0.1):
    g = direct_gradient(h, f, eps, noise)
    mean = (chances(gumbel_law, h + eps * f) - q) / eps
    assert (np.abs(g.mean(axis=0) - mean) < 4 * g.std(axis=0) / np.sqrt(M)).all()
assert several[0].std() > 3 * several[-1].std() and set(np.unique(several[0]).round(9)) == {0, 50}
law = direct.joint_law(h, f, 0.001)                                             # P(z* = i, z(eps) = j)
assert np.isclose(law[1, 0] / (0.001 * q[0] * q[1]), 3, rtol=2e-3) and law[0, 1] == 0
assert np.allclose(0.001 * direct.variance(h, f, 0.001), C, rtol=2e-3)
for eps, (with_shared, with_fresh) in variances.items():
    q_eps = chances(gumbel_law, h + eps * f)
    assert np.allclose(with_fresh, (q * (1 - q) + q_eps * (1 - q_eps)) / eps**2, rtol=0.02)
    assert np.allclose(with_shared, direct.variance(h, f, eps), rtol=0.1)
assert all(np.isclose(quotient(eps), 1 / (2 * eps)) for eps in small)
assert mean_f(1e-9) - mean_f(0.0) == 1.0
assert wrong_way["fresh noise"] > 0.3 > 0.15 > wrong_way["shared noise"]
assert abs(wrong_way["shared noise"] - 0.066) < 6e-4                           # chapter 4 mentions this number
assert wrong_way["exact gradient"] == 0 and np.allclose(enumeration(h[None], None), truth, rtol=0, atol=1e-8)
