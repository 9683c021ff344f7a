"""Checks of the numbers in chapter 8.  This runs after the chapter, with its variables."""
# the arg max from the list, and by gains
distance, error = off["z(eps) from the list", 0.02]
left_by_eps = off["z(eps) from the list", 0.1][0] / 5       # first order in eps: a fifth of that at 0.1
assert (distance < 4.5 * error + left_by_eps).all()
assert np.linalg.norm(off["z(eps) by gains", 0.02][0]) > 2 * np.linalg.norm(distance)
# a hundred graphs at a time
assert kept[0] < highest - 2 and highest - 0.5 < kept[-1] < highest + 1e-9
# Theorem 1 for two variables
assert abs(law(at, 0.7, f_two).sum() - 1) < 1e-13
assert np.allclose(left, right, rtol=0, atol=1e-9)
# the trained runs
assert all(runs["no pairs"][-1] < runs[words][-1] for words in runs if words != "no pairs")
