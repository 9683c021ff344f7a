"""Checks of the numbers in chapter 3.  This runs after the chapter, with its variables."""
off = flat.std() / np.sqrt(flat.size)
assert abs(flat.mean()) < 4 * off
assert abs(squares.mean() - np.pi**2 / 6) < 4 * squares.std() / np.sqrt(flat.size)
assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(noise.size)            # NumPy's Gumbel noise minus c is the same
assert 1 / 36.5 < 1 - F(3) < 1 / 35.5 and 1 / 79_500 < F(-3) < 1 / 78_500
assert np.abs(by_integral - q).max() < 1e-12 and np.ptp(heights) < 1e-9
assert abs(inside.mean() - there) < 4 * np.sqrt(there / M) and inside.sum() > 1_000
assert np.allclose(rho.ravel(), [q[i] * q[j] for i in range(3) for j in range(3) if i != j], rtol=0, atol=1e-12)
assert np.allclose(dG_dh(eps), q_eps, rtol=0, atol=1e-8) and np.isclose(dG_deps(h), q_eps @ f, rtol=0, atol=1e-8)
assert np.allclose(danskin.dG_dh(h, f, eps), q_eps)
assert np.allclose(danskin.d2G_dh_deps(h, f, eps), formula) and np.allclose(danskin.d2G_deps_dh(h, f, eps), formula)
assert np.allclose(odds["Gumbel"], np.exp(h[0] - h[1]), rtol=1e-9)
assert np.ptp(odds["Gaussian"]) > 1 and np.ptp(odds["Laplace"]) > 0.2
