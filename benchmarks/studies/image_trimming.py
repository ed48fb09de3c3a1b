"""Trimming of a contaminated sample of images by a few that are trusted: what is unlike them is left out."""

import numpy as np

from hellgan.neural.metrics.contaminated import logistic

COMPONENTS, FEATURES, RIDGE = 50, 400, 0.01
POOL = 4000  # images of the sample that a classifier is trained on
KEPT = 0.95  # of the trusted images are like what is kept

ABOUT = """`trimmed` is given 1,000 images that are known to be clean (1.7 % of the sample's size), which the losses
alone are not. A logistic regression tells them from the contaminated sample, on random rectified features of 50
principal components of the trusted images and of what these leave over; each half is judged by a regression trained on
the other. Images of the sample that are more unlike the trusted ones than 95 % of these are left out, and `log_ns` is
trained on what is left. The share of the contamination is not used."""


def unlike(x: np.ndarray, trusted: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of being of the sample rather than trusted, of both, (n,) and (t,); rows are images from 0 to 1."""
    rng, of = np.random.default_rng([seed, 3]), _features(trusted, np.random.default_rng([seed, 4]))
    halves = [rng.permutation(len(rows)) % 2 for rows in (x, trusted)]
    found = np.empty(len(x)), np.empty(len(trusted))
    for half in (0, 1):
        pool = np.flatnonzero(halves[0] != half)[:POOL]
        score = logistic(of(trusted[halves[1] != half]), of(x[pool]), RIDGE)
        for rows, mine, scores in zip((x, trusted), halves, found, strict=True):
            scores[mine == half] = score(of(rows[mine == half]))
    return found


def kept(x: np.ndarray, trusted: np.ndarray, seed: int) -> np.ndarray:
    """Which images (n, 28, 28) of a sample are not more unlike the trusted ones than 95 % of these."""
    scores, own = unlike(x.reshape(len(x), -1), trusted.reshape(len(trusted), -1), seed)
    return scores <= np.quantile(own, KEPT)


def _features(trusted: np.ndarray, rng):
    center = trusted.mean(axis=0)
    _, values, axes = np.linalg.svd(trusted - center, full_matrices=False)
    axes, scale = axes[:COMPONENTS], values[:COMPONENTS] / np.sqrt(len(trusted))

    def parts(rows):
        rest = rows - center
        z = rest @ axes.T
        return z, np.log(np.maximum(np.sum(rest**2, axis=1) - np.sum(z**2, axis=1), 1e-3))

    _, left = parts(trusted)
    weights = rng.normal(size=(COMPONENTS + 2, FEATURES)) / np.sqrt(COMPONENTS)
    bias = rng.normal(size=FEATURES)

    def features(rows):
        z, over = parts(rows)
        over = 3 * (over - left.mean()) / left.std()
        return np.maximum(np.column_stack([z / scale, over, over]) @ weights + bias, 0)

    return features
