"""One model on many samples of one shape: compiled programs shared, groups of fits a call, threads over chunks."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hellgan import elsewhere, inference
from hellgan.cautions import ConvergenceWarning, FitWarning
from hellgan.checks import checked_seed, checked_sequence, normal_quantile
from hellgan.discriminators import Basis
from hellgan.execution import programs
from hellgan.execution.threads import over_chunks
from hellgan.gan import GAN
from hellgan.generators.smoothed import simulator_of
from hellgan.inference.background_test import BackgroundTest, background_tests
from hellgan.inference.bulk_test import REJECTED, BulkTest, bulk_tests
from hellgan.kernel_gan import KernelGAN
from hellgan.objective.assembly import assemble
from hellgan.objective.game import Game
from hellgan.results.discriminator import are_overlapping, too_few
from hellgan.results.gan import GANResults
from hellgan.results.kernel import KernelGANResults
from hellgan.results.several import BatchSummary, grouped, read_truth, summarise
from hellgan.samples import read_each
from hellgan.samples.sample import check_variations
from hellgan.solver.certificate import SaddlePoint
from hellgan.solver.equations import GameEquations
from hellgan.solver.kernel_search import KernelMinimum
from hellgan.solver.saddle import first_start, leaves_doubt
from hellgan.solver.starts import matched


class BatchResults:
    """The fits of one model to many samples; made by ``fit_batch``.

    ``batch[k]`` fits sample k alone, when asked for, and gives its ``GANResults``.

    Attributes
    ----------
    params, bse : DataFrame (R, parameters)
        Estimates and their standard errors, natural scale; NaN errors where a fit did not converge.
    cov_params : array (R, parameters, parameters)
        Covariances of the estimates, natural scale.
    converged : bool array (R,)
        Whether each solution is a certified saddle point of which the joint law could be computed.
    trouble : list of str
        Why a fit did not converge; empty where it did.
    bulk_pvalue, bulk_share : arrays (R,)
        p-values of the test of the bulk, and the share of each sample that is believed, as ``GANResults.bulk_test``
        gives them; NaN where there is no test.
    flagged : bool array (R,)
        Whether a fit did not converge, or would warn: its law describes no bulk of its sample, contamination lies
        beside the bulk, data are few, more of them share one value than the fitted law explains, a parameter is near
        the edge of its space, where the law is another, or parts of the law overlap so far that their weights are
        known as from fewer than 75 observations.
    score_norm : array (R,)
        Largest element of the mean score at each solution.
    iterations, inner_iterations : int arrays (R,)
        Outer and inner steps of the solver.
    """

    def __init__(self, model: GAN | KernelGAN, samples, seeds, fits: Sequence["Fit"]):
        self.model, self._samples, self._seeds = model, samples, seeds
        names = model.generator.names
        self.params = pd.DataFrame(np.array([fit.natural for fit in fits]), columns=names)
        self.cov_params = np.array([fit.cov for fit in fits])
        with np.errstate(invalid="ignore"):
            errors = np.sqrt(np.diagonal(self.cov_params, axis1=1, axis2=2))
        self.bse = pd.DataFrame(errors, columns=names)
        self.trouble = [fit.trouble for fit in fits]
        self.converged = np.array([not fit.saddle.reason and not fit.trouble for fit in fits])
        tests = [fit.bulk for fit in fits]
        self.bulk_pvalue = np.array([np.nan if test is None else test.pvalue for test in tests])
        self.bulk_share = np.array([np.nan if test is None else test.share for test in tests])
        is_few = isinstance(model, GAN) and model.basis.is_linear and bool(too_few(model.nobs, model.basis.size - 1))
        spaces = model.generator.element_spaces
        overlap = are_overlapping(inference.observations_seen(spaces, self.params.to_numpy(), errors), model.nobs)
        near = inference.near_edges(spaces, self.params.to_numpy(), errors)
        at_edge = near[:, [name in model.generator.edges for name in names]].any(axis=1)
        self.flagged = (
            ~self.converged
            | at_edge
            | overlap
            | [is_few or fit.is_tied or fit.is_no_bulk or fit.is_shifted for fit in fits]
        )
        self.score_norm = np.array([fit.saddle.score_norm for fit in fits])
        self.iterations = np.array([fit.saddle.iterations for fit in fits])
        self.inner_iterations = np.array([getattr(fit.saddle, "inner_iterations", 0) for fit in fits])

    def __len__(self):
        return len(self.params)

    def __repr__(self):
        return f"<BatchResults of {self.model!r}: {len(self)} fits, {np.sum(~self.converged)} not converged>"

    def __getitem__(self, k: int) -> GANResults | KernelGANResults:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not -len(self) <= k < len(self):
            raise IndexError(f"fit {k!r} of {len(self)}: give a whole number from 0 to {len(self) - 1}.")
        return self.model.on(self._samples[k], self._seeds[k]).fit()

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Compute Wald intervals of level 1 - alpha: columns (parameter, ``lower`` or ``upper``), natural scale.

        Raises
        ------
        ValueError
            For an alpha outside (0, 1).
        """
        half = normal_quantile(alpha)
        rows = [
            inference.intervals(self.model.generator.element_spaces, natural, errors, half).ravel()
            for natural, errors in zip(self.params.to_numpy(), self.bse.to_numpy(), strict=True)
        ]
        return pd.DataFrame(rows, columns=pd.MultiIndex.from_product([self.params.columns, ["lower", "upper"]]))

    def summary(self, truth=None, alpha: float = 0.05) -> BatchSummary:
        """Summarise the fits: mean and spread of the estimates, said errors, coverage of a truth, why fits failed.

        Parameters
        ----------
        truth : mapping or Series, optional
            True values of some of the parameters, natural scale, as in ``{"loc": 1.0}``.
        alpha : float
            One minus the level of the Wald intervals whose coverage is counted.

        Returns
        -------
        BatchSummary
            With ``table``, over the fits that converged, and ``failures``, those that did not by their reasons.

        Raises
        ------
        ValueError
            For an alpha outside (0, 1), and for a truth that is none of the parameters'.
        """
        truth = read_truth(truth, self.model.generator)
        return summarise(self.params, self.bse, self.conf_int(alpha), self.trouble, self.flagged, truth, alpha)


class Fit(NamedTuple):
    """What is kept of one fit: solution, natural parameters (r,), their covariance (r, r), tests, why it failed."""

    saddle: SaddlePoint | KernelMinimum
    natural: np.ndarray
    cov: np.ndarray
    trouble: str
    bulk: BulkTest | None = None
    background: BackgroundTest | None = None
    is_tied: bool = False  # whether more of the sample shares one value than the fitted law explains

    @property
    def is_no_bulk(self) -> bool:
        """Whether the test of the bulk rejects."""
        return self.bulk is not None and self.bulk.is_rejected

    @property
    def is_shifted(self) -> bool:
        """Whether the test of the background rejects."""
        return self.background is not None and self.background.is_rejected


def fit_batch(
    model: GAN | KernelGAN, datasets, *, seeds=None, threads: int | None = None, progress: bool = False
) -> BatchResults:
    """Fit a model to many samples of one shape; each fit is what ``GAN(sample, ...).fit()`` gives, up to rounding.

    Parameters
    ----------
    model : GAN or KernelGAN
        The generator, discriminator, loss, latent points, weights and seed of every fit; the model's own sample is
        not used.
    datasets : (R, n) or (R, n, d) array, or sequence of R samples
        Samples of one size, each checked as ``GAN`` checks its data. Columns are matched by name, and rows to the
        model's weights by label, where both have them.
    seeds : sequence of R int, optional
        Seeds of the latent draws; the model's own for all unless given.
    threads : int, optional
        Twice as many as there are processors unless given, since one can compute while another waits for the
        interpreter; one on an accelerator, where fits run side by side.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    BatchResults

    Raises
    ------
    ValueError, TypeError
        For a sample that ``GAN`` would refuse, with its position; or samples of different sizes.

    Warns
    -----
    ConvergenceWarning
        Where fits did not converge.
    FitWarning
        Where more fits than by chance describe no bulk of their samples, or samples have atoms that no law explains.

    Examples
    --------
    >>> import numpy as np
    >>> import hellgan as hg
    >>> samples = np.random.default_rng(0).normal(1.0, 1.0, size=(16, 200))
    >>> batch = hg.fit_batch(hg.GAN(samples[0], hg.generators.Normal()), samples)
    >>> int(batch.converged.sum()), batch.params.shape
    (16, (16, 2))
    """
    if not isinstance(model, (GAN, KernelGAN)):
        raise TypeError(
            f"model: got {type(model).__name__}; give an hg.GAN, or hg.KernelGAN, on any sample of the same shape."
        )
    samples = _checked_samples(datasets, model)
    if seeds is None:
        seeds = [model.seed] * len(samples)
    else:
        seeds = [checked_seed(seed, "seeds") for seed in checked_sequence("seeds", seeds, "a seed for each sample")]
    if len(seeds) != len(samples):
        raise ValueError(f"seeds: {len(seeds)} for {len(samples)} samples; give one for each.")

    def task(chunk):
        return fit_all(model, samples[chunk], seeds[chunk], chunk.start)

    fits: list[Fit] = over_chunks(task, len(samples), threads, progress, "fit")
    failed = [fit.trouble for fit in fits if fit.trouble]
    if failed:
        reasons = "; ".join(f"{count}: {reason}" for reason, count in grouped(failed).items())
        warnings.warn(
            f"{len(failed)} of {len(fits)} fits did not converge ({reasons}); BatchResults.trouble has each.",
            ConvergenceWarning,
            stacklevel=2,
        )
    found = BatchResults(model, samples, seeds, fits)
    kinds = "is_tied", "is_no_bulk", "is_shifted"
    tied, rejected, shifted = (sum(getattr(fit, kind) for fit in fits) for kind in kinds)
    if tied:
        warnings.warn(
            f"in {tied} of {len(fits)} samples more observations share one value than the fitted law explains; "
            "BatchResults.flagged counts them.",
            FitWarning,
            stacklevel=2,
        )
    if rejected > max(1, 3 * REJECTED * len(fits)):  # more than chance explains
        warnings.warn(
            f"{rejected} of {len(fits)} fits describe no bulk of their samples; BatchResults.flagged says which, "
            "bulk_pvalue and bulk_share say why.",
            FitWarning,
            stacklevel=2,
        )
    if shifted > max(1, 3 * REJECTED * len(fits)):
        warnings.warn(
            f"in {shifted} of {len(fits)} samples contamination lies beside the bulk and so, presumably, within it; "
            "BatchResults.flagged counts them.",
            FitWarning,
            stacklevel=2,
        )
    return found


def fit_all(
    model: GAN | KernelGAN, samples: Sequence, seeds: Sequence[int], begin: int = 0, wanted: int | None = None
) -> list[Fit]:
    """Fit a chunk of samples, the first being number ``begin`` of all.

    Samples after the first ``wanted`` only fill a group: a fit of theirs that is not certified is not tried again.
    """
    wanted = len(samples) if wanted is None else wanted
    if isinstance(model, KernelGAN):
        models = [
            _on(model, sample, seed, begin + k) for k, (sample, seed) in enumerate(zip(samples, seeds, strict=True))
        ]
        return [Fit(*fit) for fit in model.solved_all(models, wanted)]
    try:
        games, starts = posed(model, samples, seeds)
    except (ValueError, TypeError):
        for k in range(len(samples)):
            _on(model, samples[k], seeds[k], begin + k)  # names the sample that is refused
        raise
    of, is_linear = model.equations(), games.discriminator.is_linear
    # No pains yet: what the compiled search leaves is taken up below, from its first start again.
    found = of.solve_all(games, starts, wanted=0) if is_linear else [None] * len(samples)
    saddles: list[SaddlePoint] = []
    searched = model.reserve() is not None
    for k, saddle in enumerate(found):
        settled = saddle is not None and saddle.is_saddle
        if saddle is not None and settled and searched and k < wanted:
            settled = not leaves_doubt(programs.take(games, k), saddle)
        if saddle is None or (k < wanted and not settled):
            # A network, or a fit that is not settled from its first start, is taken up alone, from all its starts.
            alone = _on(model, samples[k], seeds[k], begin + k)
            saddle = alone.equations().solve(alone.starts(), reserve=alone.reserve())
        saddles.append(saddle)

    fits = _inferred(of, games, saddles)
    for k, fit in enumerate(fits[:wanted]):
        if fit.is_no_bulk:
            assert isinstance(fit.saddle, SaddlePoint)
            alone = _on(model, samples[k], seeds[k], begin + k)
            if other := elsewhere.lower(alone, alone.equations(), fit.saddle):
                fits[k] = _inferred(of, programs.take(games, slice(k, k + 1)), [other[0]])[0]
    return fits


def _inferred(of: GameEquations, games: Game, saddles: Sequence[SaddlePoint]) -> list[Fit]:
    """Laws and tests at the solutions of a stack of games."""
    is_linear = games.discriminator.is_linear
    is_tested = is_linear and games.loss.is_calibrated and games.discriminator.size - 1 > of.p
    covariances, believed = of.judged_at(games, saddles, is_tested) if is_linear else ([], None)
    rows = np.asarray(games.x)[:, : len(of.sample)]
    frames = (
        None if of.frame is None else np.stack([np.asarray(of.space.frame(x[of.sample.weights > 0])) for x in rows])
    )
    laws = inference.laws(
        of.space, saddles, (lambda chosen: [covariances[k] for k in chosen]) if is_linear else None, frames
    )
    covs = inference.natural_covs(of.space, laws)
    tests: list[BulkTest | None] = [None] * len(saddles)
    asked = [k for k, law in enumerate(laws) if not law.trouble] if believed is not None else []
    if believed is not None and asked:
        for k, test in zip(asked, bulk_tests([believed[k] for k in asked], games.loss), strict=True):
            tests[k] = test
    backgrounds: list[BackgroundTest | None] = [None] * len(saddles)
    if is_linear and of.has_background:
        backgrounds = background_tests(of.backgrounds_at(games, saddles), laws, covs, of.space.names)
    ties = [atom is not None for atom in of.atoms(rows, games, saddles)]
    return [
        Fit(saddle, law.natural, cov, law.trouble, test, background, tied)
        for saddle, law, cov, test, background, tied in zip(saddles, laws, covs, tests, backgrounds, ties, strict=True)
    ]


def posed(model: GAN, samples: Sequence, seeds: Sequence[int]) -> tuple[Game, np.ndarray]:
    """Check R samples of a model's shape and assemble their games (R, ...), with starting values (R, p).

    The steps are those of ``GAN`` for one sample, done for all at once.
    """
    g, weights = model.generator, model.sample.weights
    if isinstance(model.basis, Basis) and model.basis.varies:
        rows = read_each(samples, g)
        counted = rows if model.weights is None else rows[:, model.weights > 0]
        check_variations(counted, g.size, g.covariates, model.columns)
        for each in counted:
            g.check_rows(each)
        placed = model.discriminator.place_each(rows, weights, seeds)
    else:
        models = [model.on(sample, seed) for sample, seed in zip(samples, seeds, strict=True)]
        rows = np.stack([each.sample.rows for each in models])
        placed = programs.stack([each.basis for each in models])
    starts, simulation = g.starts(rows, weights), model.simulation
    games = assemble(model.loss, simulator_of(g), placed, rows, weights, simulation.draw(rows, seeds), simulation)
    if starts is None:
        each = [matched(g, row, weights, seed) for row, seed in zip(rows, seeds, strict=True)]
        starts = np.stack([first_start(programs.take(games, k), several) for k, several in enumerate(each)])
    return games, starts


def _on(model: Any, sample, seed: int, k: int) -> Any:
    try:
        return model.on(sample, seed)
    except (ValueError, TypeError) as error:
        raise type(error)(f"datasets[{k}]: {error}") from None


def _checked_samples(datasets, model):
    if hasattr(datasets, "columns"):
        raise ValueError(
            "datasets: got a DataFrame, which may hold samples in rows or in columns; give an array (R, n)."
        )
    samples = checked_sequence("datasets", datasets, "an array (R, n) or (R, n, d), or a sequence of R samples")
    if not samples or not any(np.ndim(sample) for sample in samples):
        raise ValueError("datasets: give an array (R, n) or (R, n, d), or a sequence of R samples.")
    for k, sample in enumerate(samples):
        size = len(sample) if hasattr(sample, "__len__") else 0
        if size != model.nobs:
            raise ValueError(
                f"datasets[{k}]: {size} observations; the model has {model.nobs}, and so must all samples."
            )
    return [model.sample.in_order(sample, f"datasets[{k}]") for k, sample in enumerate(samples)]
