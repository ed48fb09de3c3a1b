"""Many fits of simulated samples, on all cores: what the Monte Carlo tests share."""

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

import hellgan as hg


class Replicates(NamedTuple):
    """Estimates and their errors, one row a replication; NaN errors where a fit failed."""

    estimates: np.ndarray
    errors: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    certified: np.ndarray
    overid: np.ndarray  # p-values, NaN where not asked for
    joint: np.ndarray  # joint parameters and
    joint_errors: np.ndarray  # their standard errors; NaN where not asked for

    def coverage(self, truth) -> np.ndarray:
        """Share of intervals that hold the truth; a failed fit counts as a miss."""
        return np.mean((self.lower <= truth) & (truth <= self.upper), axis=0)


def replicate(
    draw: Callable[[np.random.Generator], np.ndarray],
    replications: int,
    seed: int,
    test: bool = False,
    robust: bool = False,
    joint: bool = False,
    **arguments,
) -> Replicates:
    """Fit ``GAN(draw(rng), **arguments)`` with rng and the latent seed of (seed, r) for every replication r."""
    if not (test or joint):
        return _in_one_batch(draw, replications, seed, arguments)

    def one(r):
        model = hg.GAN(draw(np.random.default_rng([seed, r])), **{"seed": r, **arguments})
        fit = model.fit()
        interval = fit.conf_int().to_numpy()
        pvalue = fit.overidentification_test(robust).pvalue if test else np.nan
        both = (fit.joint_params.to_numpy(), np.sqrt(np.diag(fit.joint_cov()))) if joint else (np.nan, np.nan)
        return fit.params.to_numpy(), fit.bse.to_numpy(), interval[:, 0], interval[:, 1], fit.converged, pvalue, *both

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        warnings.filterwarnings("ignore", message=".*GAN", category=UserWarning)
        rows = list(pool.map(one, range(replications)))
    return Replicates(*(np.array(column) for column in zip(*rows, strict=True)))


def _in_one_batch(draw, replications, seed, arguments) -> Replicates:
    """Estimates and intervals only: many times faster."""
    samples = [draw(np.random.default_rng([seed, r])) for r in range(replications)]
    seed_of_all = arguments.pop("seed", None)
    seeds = range(replications) if seed_of_all is None else [seed_of_all] * replications
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fits did not converge", category=UserWarning)
        batch = hg.fit_batch(hg.GAN(samples[0], **arguments), samples, seeds=seeds)
    intervals = batch.conf_int().to_numpy().reshape(replications, -1, 2)
    none = np.full(replications, np.nan)
    return Replicates(
        batch.params.to_numpy(),
        batch.bse.to_numpy(),
        intervals[..., 0],
        intervals[..., 1],
        batch.converged,
        none,
        none,
        none,
    )
