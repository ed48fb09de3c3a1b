"""Maximum likelihood where it has a closed form: normal laws in any dimension and Laplace's, many samples at once."""

import numpy as np

from hellgan.generators import Generator, LocationScale, MultivariateNormal
from hellgan.montecarlo.comparators.comparator import Stack


def has_closed_form(family: Generator) -> bool:
    """Whether ``closed_form`` serves a family; families with fixed parameters have no closed form here."""
    return isinstance(family, MultivariateNormal) or (
        isinstance(family, LocationScale) and family.family in ("Normal", "Laplace")
    )


def closed_form(family: Generator, samples: np.ndarray, robust: bool) -> Stack:
    """Compute maximum-likelihood estimates of samples (R, n) or (R, n, d), with standard errors, natural scale.

    The information is that at the estimate, where observed and expected information agree (Laplace's: expected).
    Robust errors are those of the sandwich: with t the standardised data, influence functions are t for a location,
    (t^2 - 1) / 2 for a log scale and t_i t_j - r (t_i^2 + t_j^2) / 2 for a correlation r.
    """
    if isinstance(family, LocationScale) and family.family == "Laplace":
        return _laplace(samples)
    rows = samples[..., None] if samples.ndim == 2 else samples
    count, n, d = rows.shape
    loc = rows.mean(axis=1)
    centred = rows - loc[:, None]
    scale = np.sqrt(np.mean(centred**2, axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = centred / scale[:, None]
    below = np.tril_indices(d, -1)
    corr = np.einsum("rni,rnj->rij", t, t)[:, *below] / n
    if robust:
        spread = np.sqrt(np.maximum(np.mean(t**4, axis=1) - 1, 0)) / 2
        bent = np.empty_like(corr)
        for k, (i, j) in enumerate(zip(*below, strict=True)):
            influence = t[:, :, i] * t[:, :, j] - corr[:, k, None] * (t[:, :, i] ** 2 + t[:, :, j] ** 2) / 2
            bent[:, k] = np.sqrt(np.mean(influence**2, axis=1))
    else:
        spread, bent = np.full((count, d), np.sqrt(0.5)), 1 - corr**2
    values = np.concatenate([loc, scale, corr], axis=1)
    errors = np.concatenate([scale, scale * spread, bent], axis=1) / np.sqrt(n)
    flat = ["" if ok else "a column of the sample does not vary" for ok in np.all(scale > 0, axis=1)]
    return Stack(values, errors, flat)


def _laplace(samples: np.ndarray) -> Stack:
    """Median, and mean absolute deviation from it; the information is 1 / scale^2 for each, and 0 between them."""
    loc = np.median(samples, axis=1)
    scale = np.mean(np.abs(samples - loc[:, None]), axis=1)
    error = scale / np.sqrt(samples.shape[1])
    flat = ["" if ok else "the sample does not vary" for ok in scale > 0]
    return Stack(np.stack([loc, scale], axis=1), np.stack([error, error], axis=1), flat)
