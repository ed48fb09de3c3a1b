"""The Fréchet distance of two normal laws, of features' means and covariances."""

from collections.abc import Callable

import numpy as np

from hellgan.neural.metrics.estimates import Metric, bootstrap, read_pair


def gaussian_frechet(mean_a, cov_a, mean_b, cov_b) -> float:
    """Compute the squared Fréchet (2-Wasserstein) distance of two normal laws, after Dowson and Landau (1982).

        |a - b|^2 + tr A + tr B - 2 tr (A^1/2 B A^1/2)^1/2

    Roots are taken by eigenvalues of symmetric matrices; what rounding makes negative is 0.

    Parameters
    ----------
    mean_a, mean_b : (d,) arrays
    cov_a, cov_b : (d, d) arrays
        Symmetric, positive semidefinite.
    """
    a, b = (np.atleast_1d(np.asarray(each, np.float64)) for each in (mean_a, mean_b))
    A, B = (np.atleast_2d(np.asarray(each, np.float64)) for each in (cov_a, cov_b))
    if a.shape != b.shape or A.shape != (*a.shape, *a.shape) or B.shape != A.shape:
        raise ValueError(
            f"means of shapes {a.shape}, {b.shape}, covariances {A.shape}, {B.shape}; give (d,) and (d, d)."
        )
    values, vectors = np.linalg.eigh(A)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    between = np.linalg.eigvalsh(root @ B @ root)
    return float(np.sum((a - b) ** 2) + np.trace(A) + np.trace(B) - 2 * np.sum(np.sqrt(np.maximum(between, 0))))


def frechet_distance(x, y, features: Callable | None = None, *, times: int = 50, seed: int = 0) -> Metric:
    """Compute the Fréchet distance of two samples: that of normal laws with their means and covariances, squared.

    With the features of an Inception network it is the FID of Heusel et al. (2017); with another network's, or with
    samples of other sizes, figures are not comparable: it is biased upwards, by about d / n at equality.

    Parameters
    ----------
    x, y : arrays of n and m observations
        Bytes are divided by 255 unless ``features`` read them.
    features : callable, optional
        Turns a sample into features (n, d), such as ``LeNet.load("mnist").features``; the observations themselves
        unless given.
    times : int
        Bootstrap samples for the standard error.
    seed : int

    Returns
    -------
    Metric

    Examples
    --------
    >>> import numpy as np
    >>> import hellgan as hg
    >>> rng = np.random.default_rng(0)
    >>> found = hg.neural.metrics.frechet_distance(rng.normal(0, 1, (4000, 3)), rng.normal(1, 1, (4000, 3)))
    >>> round(float(found), 1)
    3.0
    """
    a, b = read_pair(x, y, features)
    center = np.mean(a, axis=0)  # what is subtracted from both, against cancellation
    a, b = a - center, b - center

    def distance(of_a, of_b):
        return gaussian_frechet(*_moments(a, of_a), *_moments(b, of_b))

    error = bootstrap(distance, (len(a), len(b)), times, seed)
    return Metric(distance(np.ones(len(a)), np.ones(len(b))), error, "Fréchet distance")


def _moments(x: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance, with n - 1, of rows that count so often each."""
    n = counts.sum()
    mean = counts @ x / n
    return mean, ((x * counts[:, None]).T @ x - n * np.outer(mean, mean)) / (n - 1)
