"""``LawResults``: what a fit with a generator says of the law that it estimates."""

import numpy as np
import pandas as pd

from hellgan import latents
from hellgan.checks import checked_seed, shown
from hellgan.generators.family import Generator
from hellgan.generators.simulating import simulated
from hellgan.inference.functionals import law as functionals
from hellgan.inference.functionals.estimates import Functionals
from hellgan.inference.functionals.scatter import MatrixEstimate
from hellgan.results.base import EstimatedResults
from hellgan.results.distribution import DistributionResults


class LawResults(DistributionResults, EstimatedResults):
    """A fit whose parameters are those of a generator: what its law makes, its mean, quantiles, other functionals.

    Attributes
    ----------
    generator : Generator
    """

    @property
    def generator(self) -> Generator:
        """The family whose parameters are estimated."""
        return self.equations.space  # pyright: ignore[reportReturnType]

    def sample(self, size, seed=0) -> np.ndarray:
        """Simulate observations from the fitted generator: (size,) or (size, d).

        Observations of a regression are rows of covariates, drawn from the data's by weight, and responses.

        Raises
        ------
        ValueError
            For a size that is no positive whole number.
        """
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or not 1 <= size <= latents.LARGEST:
            raise ValueError(
                f"size: got {shown(size)}; give a positive number of observations, at most {latents.LARGEST}."
            )
        g, sample = self.generator, self.equations.sample
        z = latents.draw("iid", g.law, int(size), g.latent_dim, checked_seed(seed))[0]
        if g.covariates:
            rows = np.random.default_rng([0xC0, seed]).choice(len(sample), int(size), p=sample.weights)
            z = np.concatenate([sample.rows[rows, : g.covariates], z], axis=1)
        return g.squeezed(simulated(g, self.solution.theta, z))

    # Functionals of the fitted law.

    def covariance_matrix(self) -> MatrixEstimate:
        """Estimate the covariance matrix of an observation of the fitted law, in several dimensions.

        Returns
        -------
        MatrixEstimate
            ``matrix`` is a frame (d, d) labelled by the columns; standard errors and intervals of its elements are
            those of the delta method: ``result.covariance_matrix().conf_int()``. Computed over 131,072 scrambled Sobol
            points, as ``functional`` is.

        Raises
        ------
        ValueError
            For a law of one dimension, and for a regression.

        Warns
        -----
        SimulationWarning
            Where it rests on a few draws far away, as it does where it is infinite.

        Examples
        --------
        >>> import hellgan as hg
        >>> stars = hg.datasets.load_stars_cyg()
        >>> result = hg.GAN(stars, hg.generators.MultivariateNormal(2)).fit()
        >>> print(result.correlation_matrix().matrix.iloc[0, 1].round(1))
        0.7
        """
        return functionals.scatter(self, False)

    def correlation_matrix(self) -> MatrixEstimate:
        """Estimate the correlations of the coordinates of the fitted law; as ``covariance_matrix``.

        Intervals stay between -1 and 1.
        """
        return functionals.scatter(self, True)

    def mahalanobis(self, x=None) -> np.ndarray | pd.Series:
        """Compute distances from the fitted law's mean in the metric of its covariance matrix.

        Parameters
        ----------
        x : (n, d) array_like or DataFrame, optional
            The data of the fit unless given.

        Returns
        -------
        Series for a frame, else (n,) array
            Distances, not squared: for a normal law their squares are chi-square with d degrees of freedom.

        Raises
        ------
        ValueError
            For a law of one dimension, for a regression, and for rows of another length.
        """
        scatter, mean = self.covariance_matrix().matrix.to_numpy(), self.mean().params.to_numpy()
        rows = self.equations.sample.rows if x is None else self.equations.sample.points(x)
        whitened = np.linalg.solve(np.linalg.cholesky(scatter), (rows - mean).T)
        distances = np.linalg.norm(whitened, axis=0)
        return pd.Series(distances, x.index, name="mahalanobis") if isinstance(x, pd.DataFrame) else distances

    def quantile(self, levels) -> Functionals:
        """Estimate quantiles of the fitted law, with their joint covariance.

        Parameters
        ----------
        levels : float or (k,) array_like
            Between 0 and 1.

        Returns
        -------
        Functionals
            Named ``q0.5`` and so on. Exact where the generator is monotone in a single latent number, as all
            families but ``AlphaStable`` are; else of 131,072 scrambled Sobol points.

        Raises
        ------
        ValueError
            For levels outside (0, 1), and for a law of several dimensions or a regression.

        Examples
        --------
        >>> import hellgan as hg
        >>> result = hg.GAN(hg.datasets.load_newcomb(), generator=hg.generators.Normal()).fit()
        >>> found = result.quantile([0.1, 0.5, 0.9])
        >>> print(found.params.round(1).to_dict())
        {'q0.1': 21.1, 'q0.5': 27.7, 'q0.9': 34.2}
        >>> print(found.conf_int(method="sup-t").round(0).loc["q0.9"].to_list())
        [32.0, 36.0]
        """
        return functionals.quantile(self, levels)

    def cdf(self, points) -> Functionals:
        """Estimate the fitted law's distribution function, with the joint covariance of its values.

        Parameters
        ----------
        points : float or (k,) array_like

        Returns
        -------
        Functionals
            Named ``F27`` and so on; intervals stay between 0 and 1. Computed as by ``quantile``.

        Raises
        ------
        ValueError
            For a law of several dimensions or a regression.
        """
        return functionals.cdf(self, points)

    def functional(self, f, names=None) -> Functionals:
        """Estimate the expectation of a function of one observation under the fitted law, with standard errors.

        The expectation is a mean over 131,072 scrambled Sobol points with a seed of their own (of a regression: at
        least 16 for each observation, behind its covariates, by weight), so that the simulation's error,
        ``simulation_error``, is small beside the statistical one.

        Parameters
        ----------
        f : callable
            Written with ``jax.numpy`` for one observation, () or (d,), of a regression the covariates and then the
            response; returns a number or a vector. f must be continuous, and differentiable almost everywhere: the
            derivative of an indicator is 0 where it exists and says nothing of the probability, for which there is
            ``cdf``.
        names : str or sequence of str, optional
            ``functional``, or ``f0``, ``f1``, ... of a vector, unless given.

        Returns
        -------
        Functionals

        Raises
        ------
        TypeError, ValueError
            For an f that fails on one observation or returns no floating-point numbers, and for one with jumps.

        Warns
        -----
        SimulationWarning
            Where the expectation rests on a few draws far away, as it does where it is infinite.
        """
        return functionals.functional(self, f, names)

    def predict(self, exog=None, transform=True):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Compute the fitted location of the response at covariates.

        Parameters
        ----------
        exog : DataFrame or (r, k) array, optional
            New data: the variables of the formula, where the model has one; else, and with ``transform=False``, the
            covariates themselves. The data of the fit unless given.
        transform : bool

        Returns
        -------
        Series for a frame, else (r,) array
            NaN where a variable is missing.

        Raises
        ------
        ValueError
            For a model that is no linear regression.
        """
        family = self.generator.linear
        if family is None:
            what = "location in closed form" if self.generator.covariates else "covariates"
            raise ValueError(f"predict: the model has no {what}; use sample(size) for draws from the fitted generator.")
        if exog is None:
            return self.location(self.equations.sample.rows[:, :-1])
        fitted = self.location(self.model.new_covariates(exog, transform))
        return pd.Series(fitted, exog.index, name="predicted") if isinstance(exog, pd.DataFrame) else fitted

    def location(self, covariates: np.ndarray) -> np.ndarray:
        """Fitted location (r,) of a linear model at covariates (r, k)."""
        family = self.generator.linear
        if family is None:
            raise ValueError("location: the model is no linear regression.")
        values = {**self.generator.held, **self.params}
        return family.design(covariates) @ np.array([values[name] for name in family.coefficients], np.float64)
