"""The front door: ``GAN`` checks what it is given, places the discriminator and solves the game."""

import copy
import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from hellgan import batching, covariances, discriminators, inference, latents
from hellgan.designs import read_covariates, read_formula
from hellgan.discriminators import Basis, Discriminator, Network
from hellgan.generators import Generator, LinearRegression
from hellgan.losses import Loss
from hellgan.objective import Game, features
from hellgan.results import GANResults
from hellgan.robust import robust_scale
from hellgan.solver import first_start, solve_saddle
from hellgan.starts import matched, unmatched
from hellgan.validation import (
    check_variation,
    checked_discriminator,
    checked_generator,
    checked_loss,
    checked_sample,
    checked_seed,
    checked_start,
    checked_weights,
    shown,
)


class GAN:
    """A parametric GAN: a simulator with named parameters against a discriminator, on one sample.

    Parameters
    ----------
    data : array_like, Series or DataFrame
        (n,) or (n, d) finite numbers; a DataFrame's columns are the coordinates. For a regression the covariates
        and, last, the response: see also ``from_formula``.
    generator : Generator
        A family of ``hg.generators``, or a function under ``@hg.generator``.
    discriminator : Discriminator, optional
        Unless given, sigmoids at quantiles of the data; for a regression, of its residuals.
    loss : str or Loss
        ``"root"`` (bounded), ``"log"``, ``"hellinger"``, ``"least_squares"``, ``"root_ns"``, ``"log_ns"``, ``"kl"``.
    weights : (n,) array_like, optional
        Observation (sampling) weights, not negative; only their ratios matter. A weight is no count of repeated
        rows: repeat those with ``numpy.repeat``.
    latent : {"sobol", "iid"}
        Scrambled Sobol or independent latent draws.
    n_simulated : int, optional
        Size m of the simulated sample: 1,024 (Sobol, rounded up to a power of two; 4,096 for ``AlphaStable``) or
        10 n (iid) unless given. For a
        regression every observation has its own simulated responses, as many (Sobol: a power of two, at least 8
        unless given) as make up at least m.
    seed : int
        Of the latent draws and of whatever else is random. The same seed gives the same answer.

    Attributes
    ----------
    nobs, n_simulated : int
        n and m.
    tied : int
        Simulated responses of each observation, in a regression; 0 otherwise.
    basis : Basis or Network
        The discriminator placed on the data.

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence that names the argument and the remedy.

    Examples
    --------
    >>> import hellgan as hg
    >>> result = hg.GAN(hg.datasets.load_newcomb(), generator=hg.generators.Normal()).fit()
    >>> print(result.params.round(1).to_dict())
    {'loc': 27.7, 'scale': 5.1}
    """

    def __init__(
        self,
        data,
        generator: Generator,
        discriminator: Discriminator | None = None,
        loss: str | Loss = "root",
        *,
        weights=None,
        latent: str = "sobol",
        n_simulated: int | None = None,
        seed: int = 0,
    ):
        self.x, self.columns, self.generator = checked_sample(data, checked_generator(generator))
        self.nobs = len(self.x)
        self.weights = None if weights is None else checked_weights(weights, self.nobs)
        check_variation(self.x if self.weights is None else self.x[self.weights > 0], self.generator, self.columns)
        self.loss = checked_loss(loss)
        self.seed = checked_seed(seed)
        self.latent = latent
        self.n_simulated = latents.size(latent, self.nobs, n_simulated, self.generator.sobol_points)
        self.tied = 0
        if self.generator.covariates:
            self.tied = _responses_each(latent, self.nobs, n_simulated)
            self.n_simulated = self.nobs * self.tied
        self.discriminator = (
            _default(self.generator) if discriminator is None else checked_discriminator(discriminator, self.generator)
        )
        self.basis = self.discriminator.place(self.x, self.shares(), self.seed)
        self._check_features()
        self.formula = self.design_again = None
        self.rows_left_out = 0
        self._start = self.generator.start(self.x, self.shares())  # refuses data that the family cannot have

    @classmethod
    def from_formula(cls, formula: str, data, generator: Generator | None = None, *args, weights=None, **kwargs):
        """Make a regression from a formula and a frame.

        Parameters
        ----------
        formula : str
            ``"response ~ covariates"`` as in statsmodels, read by formulaic: ``"y ~ x + C(group) + np.log(z)"``. The
            parameters are named after the design's columns, in the order of the formula.
        data : DataFrame or mapping of columns
            Rows in which a variable of the formula is missing are dropped, with their weights, as statsmodels does;
            ``nobs`` counts those that are left, and positions of observations are among them.
        generator : Generator, optional
            ``hg.generators.LinearRegression()`` unless given; or a function under ``@hg.generator`` with as many
            ``covariates`` as the design has columns, the intercept's not counted.
        *args, weights, **kwargs
            As for ``GAN``.

        Returns
        -------
        GAN

        Raises
        ------
        ValueError, TypeError
            For a formula or data that make no design, in one sentence.

        Examples
        --------
        >>> import hellgan as hg
        >>> data = hg.datasets.load_telephone()
        >>> result = hg.GAN.from_formula("calls ~ year", data).fit()
        >>> print(result.params.round(2).to_dict())
        {'Intercept': -5.96, 'year': 0.12, 'scale': 0.15}
        """
        generator = LinearRegression() if generator is None else checked_generator(generator)
        design = read_formula(formula, data)
        if isinstance(generator, LinearRegression) and generator.columns is None:
            has_intercept = generator.intercept and design.has_intercept
            generator = LinearRegression(generator.noise, design.covariates, has_intercept, generator.df)
        if weights is not None:
            weights = checked_weights(weights, design.rows)[design.complete]
        model = cls(design.frame, generator, *args, weights=weights, **kwargs)
        model.formula, model.design_again = formula, design.again
        model.rows_left_out = design.rows - len(design.complete)
        return model

    def new_covariates(self, data, transform: bool = True) -> np.ndarray:
        """Turn new data into the covariates (r, k) of a regression, by its formula where it has one."""
        columns = self.columns[:-1] if self.columns else None
        return read_covariates(data, self.generator.covariates, columns, self.design_again if transform else None)

    def __repr__(self):
        return (
            f"<GAN {self.generator.name}, {type(self.discriminator).__name__}, {self.loss.name}, "
            f"n = {self.nobs}, m = {self.n_simulated}>"
        )

    def shares(self) -> np.ndarray:
        """Weights that sum to 1."""
        if self.weights is None:
            return np.full(self.nobs, 1 / self.nobs)
        relative = self.weights / self.weights.max()  # huge and tiny weights must not overflow or lose digits
        return relative / relative.sum()

    @property
    def rows(self) -> np.ndarray:
        """The sample as rows: (n, d)."""
        return self.x[:, None] if self.x.ndim == 1 else self.x

    def scales(self) -> np.ndarray:
        """Robust scale of each coordinate: (d,)."""
        columns = self.rows
        k = self.generator.covariates  # which may be dummies
        spreads = [np.std(column) or 1.0 for column in columns.T[:k]]
        return np.array([*spreads, *(robust_scale(column, self.shares()) for column in columns.T[k:])])

    @staticmethod
    def padded_size(n: int) -> int:
        """Round a sample size up to one of four sizes per doubling, so that few shapes are compiled."""
        step = max(4, 2 ** (math.ceil(math.log2(n)) - 3))
        return -(-n // step) * step

    def _check_features(self):
        p, basis = self.generator.size, self.basis
        if not isinstance(basis, Basis):
            return
        varying = basis.size - 1 if basis.varies else self._count_varying()
        if varying < p:
            raise ValueError(
                f"discriminator: {varying} features vary over the data, fewer than the {p} parameters of "
                f"{self.generator.name}; give a discriminator with at least {p}, better twice as many."
            )

    def _count_varying(self) -> int:
        """Count the features that vary over the data; some that are not finite are refused."""
        with jax.enable_x64(True):
            values = np.asarray(_features(self.game()))[: self.nobs, 1:]
        if not np.all(np.isfinite(values)):
            raise ValueError("discriminator: its features are not finite at some of the data; choose bounded features.")
        spread = np.ptp(values, axis=0)
        return int(np.sum(spread > 1e-12 * np.max(np.abs(values), axis=0, initial=1e-300)))

    def on(self, data, seed: int | None = None) -> "GAN":
        """Give the same model on another sample (of a regression: other rows), with another seed if given."""
        model = GAN(
            data,
            self.generator,
            self.discriminator,
            self.loss,
            weights=self.weights,
            latent=self.latent,
            n_simulated=self.n_simulated,
            seed=self.seed if seed is None else seed,
        )
        model.formula, model.design_again = self.formula, self.design_again
        return model

    def with_weights(self, weights) -> "GAN":
        """Give the same model with other observation weights, its discriminator placed as it is."""
        model = copy.copy(self)
        model.weights = checked_weights(weights, self.nobs)
        check_variation(self.x[model.weights > 0], self.generator, self.columns)
        return model

    def game(self) -> Game:
        """Assemble the objective's ingredients; samples are padded with weight 0 to few different sizes."""
        x = self.x[None]
        return batching.take(self.games(x, batching.stack([self.basis]), self.latents_of(x, [self.seed])), 0)

    def games(self, x: np.ndarray, basis: Basis | Network, z: np.ndarray) -> Game:
        """Assemble them for samples (R, n) or (R, n, d), with the discriminator placed on each and latents (R, ...)."""
        n, m = (
            self.padded_size(self.nobs),
            self.n_simulated if self.latent == "sobol" else self.padded_size(self.n_simulated),
        )
        if self.tied:
            m = n * self.tied  # padding has its simulated rows, too
        x_weights = np.pad(self.shares(), (0, n - self.nobs))
        shares = np.repeat(self.shares(), self.tied) / self.tied if self.tied else 1 / self.n_simulated
        z_weights = np.pad(np.broadcast_to(shares, self.n_simulated), (0, m - self.n_simulated))
        x_weights, z_weights = (np.broadcast_to(w, (len(x), w.size)) for w in (x_weights, z_weights))
        samples: list[Any] = [_padded(x, n), x_weights, _padded(z, m), z_weights, self.tied]
        loss, generator = jax.tree.map(lambda leaf: np.stack([leaf] * len(x)), (self.loss, self.generator))
        return Game(loss, generator, basis, *samples)

    def pose(self, samples: Sequence, seeds: Sequence[int]) -> tuple[Game, np.ndarray]:
        """Check R samples of this model's shape and assemble their games (R, ...), with starting values (R, p).

        It is what ``on``, ``game`` and ``starts`` do for one sample, done for all at once.
        """
        g, shares = self.generator, self.shares()
        if isinstance(self.basis, Basis) and self.basis.varies:
            x = np.stack([checked_sample(sample, g)[0] for sample in samples])
            for row in x:
                check_variation(row if self.weights is None else row[self.weights > 0], g, self.columns)
            basis = self.discriminator.place_each(x, shares, seeds)
        else:
            models = [self.on(sample, seed) for sample, seed in zip(samples, seeds, strict=True)]
            x, basis = np.stack([model.x for model in models]), batching.stack([model.basis for model in models])
        starts = g.start_each(x, shares)
        games = self.games(x, basis, self.latents_of(x, seeds))
        if starts is None:
            each = [matched(g, row, shares, seed) for row, seed in zip(x, seeds, strict=True)]
            starts = np.stack([first_start(batching.take(games, k), several) for k, several in enumerate(each)])
        return games, starts

    def latents_of(self, x: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Latent samples (R, m) or (R, m, k) of samples (R, n, ...); in a regression, behind the covariates."""
        g = self.generator
        if self.tied:
            draws = [latents.draw_tied(self.latent, g.law, self.nobs, self.tied, g.latent_dim, seed) for seed in seeds]
            z = np.stack(draws).reshape(len(x), self.n_simulated, g.latent_dim)
            return np.concatenate([np.repeat(x[:, :, : g.covariates], self.tied, axis=1), z], axis=2)
        if len(set(seeds)) == 1:
            z = self._draw(seeds[0], 1)
            return np.broadcast_to(z, (len(x), *z.shape[1:]))
        return np.concatenate([self._draw(seed, 1) for seed in seeds])

    def _draw(self, seed: int, count: int) -> np.ndarray:
        """Mutually independent latent samples (count, m) or (count, m, k); fits use the first."""
        g = self.generator
        z = latents.draw(self.latent, g.law, self.n_simulated, g.latent_dim, seed, count)
        return z[..., 0] if g.latent_dim == 1 else z

    def scrambles(self) -> np.ndarray | None:
        """Sobol samples independent of the fit's, whatever its seed, for the simulation noise.

        None for independent latents, and for a regression: there each observation has its own.
        """
        if self.latent != "sobol" or self.tied:
            return None
        return self._draw(0, 1 + inference.SCRAMBLES)[1:]

    def fit(
        self, start=None, cov_type: str = "sandwich", throw: bool = False, cov_kwds: dict | None = None
    ) -> GANResults:
        """Solve the game and infer the joint law of its parameters.

        Parameters
        ----------
        start : mapping, Series or sequence, optional
            Starting values on the natural scale, by name or in the order of ``generator.names``; the package's own
            robust start unless given.
        cov_type : {"sandwich", "HC1", "model", "HAC", "cluster", "bootstrap"}
            Covariance of the estimate, as in ``GANResults.with_cov``: equation (2), which allows misspecification,
            unless given.
        throw : bool
            Raise ``RuntimeError`` where the fit would otherwise warn.
        cov_kwds : dict, optional
            What that kind of covariance needs, such as ``{"groups": ...}``.

        Returns
        -------
        GANResults

        Warns
        -----
        ConvergenceWarning
            When the solution is not a certified saddle point; standard errors are then NaN.
        """
        if not isinstance(cov_type, str) or cov_type not in covariances.KINDS:
            raise ValueError(f"cov_type: {shown(cov_type)} is not known; give one of {', '.join(covariances.KINDS)}.")
        starts = self.starts(start)
        with jax.enable_x64(True):
            game = self.game()
            saddle = solve_saddle(game, starts, reserve=self.reserve(start))
            law = inference.laws(batching.stack([game]), [saddle], [self.scrambles()])[0]
        if law.trouble:
            self._report(law.trouble, throw)
        fit = GANResults(self, saddle, law)
        if (cov_type == "sandwich" and not cov_kwds) or law.trouble:
            return fit
        return fit.with_cov(cov_type, **(cov_kwds or {}))

    def _report(self, trouble, throw):
        from statsmodels.tools.sm_exceptions import ConvergenceWarning

        message = f"{self!r}: {trouble}."
        if throw:
            raise RuntimeError(message)
        warnings.warn(message, ConvergenceWarning, stacklevel=3)

    def starts(self, start=None) -> np.ndarray:
        """Starting values (k, p) on the unconstrained scale, given as for ``fit``, or the package's own."""
        if start is not None:
            return checked_start(start, self.generator)[None]
        if self._start is not None:
            return self.generator.theta(**self._start)[None]
        with jax.enable_x64(True):
            return matched(self.generator, self.x, self.shares(), self.seed)

    def reserve(self, start=None):
        """Give a function of further starting values, where the package searches for them; None where not."""
        if start is not None or self._start is not None:
            return None
        return functools.partial(unmatched, self.generator, self.x, self.shares(), self.seed)


@jax.jit
def _features(game: Game):
    return features(game, game.x)


def _default(generator: Generator) -> Discriminator:
    return discriminators.ResidualSigmoids() if generator.covariates else discriminators.default(generator.dim)


def _responses_each(latent: str, n: int, n_simulated: int | None) -> int:
    """How many responses to simulate for each of n observations."""
    if n_simulated is None:
        return max(8, 2 ** math.ceil(math.log2(1024 / n))) if latent == "sobol" else 10
    each = -(-n_simulated // n)
    return 2 ** math.ceil(math.log2(each)) if latent == "sobol" else each


def _padded(samples: np.ndarray, size: int) -> np.ndarray:
    """Repeat the first row of each sample (R, n, ...) behind it, up to a size."""
    missing = size - samples.shape[1]
    return np.concatenate([samples, np.repeat(samples[:, :1], missing, axis=1)], axis=1) if missing else samples
