"""Many fits of simulated samples, on all cores: what the Monte Carlo tests share."""

import os
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import hellgan as hg
from hellgan import batch, inference
from hellgan.execution import programs, threads
from hellgan.inference.overidentification import overidentification
from hellgan.objective import evaluation
from hellgan.solver import solve_saddle, solve_saddles
from hellgan.solver.equations import score_covariances

FULL = os.environ.get("HELLGAN_TEST_FULL") == "1"


def replications(full: int, few: int) -> int:
    """How many: ``full`` with HELLGAN_TEST_FULL=1, as is stated of the package; ``few`` in each run of the suite."""
    return full if FULL else few


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
    count: int,
    seed: int,
    test: bool = False,
    robust: bool = False,
    joint: bool = False,
    **arguments,
) -> Replicates:
    """Fit ``GAN(draw(rng), **arguments)`` with rng and the latent seed of (seed, r) for every replication r."""
    draws = [draw(np.random.default_rng([seed, r])) for r in range(count)]
    fixed = arguments.pop("seed", None)
    seeds = [r if fixed is None else fixed for r in range(count)]
    model = hg.GAN(draws[0], **arguments)
    if not (test or joint):
        return _estimates(model, draws, seeds)

    def task(chunk):
        return _in_full(model, draws[chunk], seeds[chunk], test, robust)

    rows = threads.over_chunks(task, count, None)
    return Replicates(*(np.array(column) for column in zip(*rows, strict=True)))


def _in_full(model, samples, seeds, test: bool, robust: bool) -> list[tuple]:
    """What is inferred from each of a chunk of samples."""
    games, starts = batch.posed(model, samples, seeds)
    saddles = solve_saddles(games, starts)
    for k, saddle in enumerate(saddles):
        if not saddle.is_saddle:
            saddles[k] = solve_saddle(programs.take(games, k), starts[k])
    scrambles = model.simulation.scrambles()
    laws = inference.laws(model.generator, saddles, lambda chosen: score_covariances(games, saddles, chosen, scrambles))
    rows = []
    for k, (saddle, law) in enumerate(zip(saddles, laws, strict=True)):
        fit = hg.GANResults(model, saddle, law)
        interval, pvalue = fit.conf_int().to_numpy(), np.nan
        if test:
            game, at = programs.take(games, [k]), (saddle.theta[None], saddle.alpha[None])
            (parts,) = evaluation.evaluated(game, *at, scrambles)
            balance = evaluation.balance(programs.take(game, 0), parts, "pooled" if robust else "real")
            pvalue = overidentification(saddle.value, model.loss, balance, robust).pvalue
        both = fit.joint_params.to_numpy(), np.sqrt(np.maximum(np.diag(fit.joint_cov()), 0))
        rows.append((fit.params.to_numpy(), fit.bse.to_numpy(), *interval.T, fit.converged, pvalue, *both))
    return rows


def _estimates(model, samples, seeds) -> Replicates:
    """Estimates and intervals only: many times faster."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fits did not converge", category=UserWarning)
        fits = hg.fit_batch(model, samples, seeds=seeds)
    intervals = fits.conf_int().to_numpy().reshape(len(samples), -1, 2)
    none = np.full(len(samples), np.nan)
    return Replicates(
        fits.params.to_numpy(),
        fits.bse.to_numpy(),
        intervals[..., 0],
        intervals[..., 1],
        fits.converged,
        none,
        none,
        none,
    )
