"""Checks of the numbers in chapter 1.  This runs after the chapter, with its variables."""
assert jumps_of_one == 1 and jumps_of_ten == 13
assert order == [names[z] for z in np.argsort(f)]
assert 0 < right[:, 0].mean() < 0.06 and right[:, -50:].mean() > 0.9 and right[:, -50:].mean(axis=1).min() > 0.8
assert abs(rate(-step)) < 1e-9 and abs(rate(step) - 1) < 1e-6
assert error < 0.001
for z in range(3):                                      # dG/dh is the probability of winning
    up, down = (maximum(h + sign * width * np.eye(3)[z], at, noise) for sign in (1, -1))
    off = (up - down) / (2 * width) - ((at * f + h + noise).argmax(axis=1) == z)
    assert abs(off.mean()) < 4 * off.std() / np.sqrt(M)
assert np.abs(np.mean(chosen, axis=0) - observed).max() < 0.02 and -1.1 < runs[:, -1, 1].mean() < -0.8
assert np.abs(runs.sum(axis=2)).max() < 1e-9
