"""The bootstrap of a fit: refits on resampled or simulated data, and the intervals that they give.

Real and simulated samples are independent, and are resampled independently. Independent latent draws are resampled
like the data. Sobol points are not, since a resample of them would lose what they are for: each refit has the points
shifted digitally anew, so that it varies as the fit itself does over its points. In a regression an observation is
resampled together with its simulated responses.
"""

import functools
import warnings

import jax
import numpy as np
import pandas as pd
from scipy import special

from hellgan import inference, latents, refits
from hellgan.covariances import Covariance
from hellgan.inference import Sandwich
from hellgan.objective import scores
from hellgan.validation import chosen_names, normal_quantile, shown

KINDS = ("nonparametric", "parametric")
METHODS = ("percentile", "basic", "studentised", "bca")


class Bootstrap:
    """Estimates of refits on bootstrap samples; made by ``GANResults.bootstrap``.

    Failed refits, those that are not certified, are NaN rows of ``params``: they are counted in ``n_failed`` and left
    out of errors and intervals.

    Attributes
    ----------
    params : DataFrame (R, parameters)
        Natural scale.
    theta : (R, p) array
        Unconstrained scale.
    std_errors : DataFrame (R, parameters) or None
        Of each refit, where it was ``studentised``.
    n_failed : int
    trouble : list of str
        Why a refit failed; empty where it did not.
    kind : str
    seed : int
    """

    def __init__(self, fit, found: refits.Refits, kind: str, seed: int):
        self._fit, self._alpha = fit, found.alpha
        names = fit.params.index
        self.theta, self.trouble, self.kind, self.seed = found.theta, found.trouble, kind, seed
        self.params = pd.DataFrame(refits.natural_rows(fit.generator, found.theta), columns=names)
        self.std_errors = None
        if found.laws is not None:
            covs = inference.natural_covs(fit.generator, found.laws, fit.n_simulated)
            with np.errstate(invalid="ignore"):
                self.std_errors = pd.DataFrame(np.sqrt(np.diagonal(covs, axis1=1, axis2=2)), columns=names)
        self.n_failed = int(np.sum(~found.certified))

    def __len__(self):
        return len(self.params)

    def __repr__(self):
        return f"<Bootstrap of {self._fit!r}: {len(self)} refits, {self.kind}, {self.n_failed} failed>"

    def is_of(self, fit) -> bool:
        """Whether its refits are those of a fit's model and solution."""
        own = self._fit
        return own is fit or (own.model is fit.model and own.saddle is fit.saddle)

    @property
    def _good(self) -> pd.DataFrame:
        return self.params.dropna()

    @property
    def bias(self) -> pd.Series:
        """Mean of the refits less the estimate."""
        return (self._good.mean() - self._fit.params).rename("bias")

    @property
    def bse(self) -> pd.Series:
        """Standard deviations of the refits."""
        return self._good.std(ddof=1).rename("std err")

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the refits, natural scale."""
        return self._good.cov(ddof=1)

    def covariance(self) -> Covariance:
        """Give the covariance that ``with_cov("bootstrap")`` puts in the sandwich's place."""
        good = ~np.isnan(self.theta[:, 0])
        own, theta = self._fit.law.sandwich, np.atleast_2d(np.cov(self.theta[good], rowvar=False))
        sandwich = None
        if own is not None:
            joint = np.cov(np.concatenate([self.theta, self._alpha], axis=1)[good], rowvar=False)
            sandwich = Sandwich(own.bread, own.meat_real, own.meat_simulated, own.n, joint)
        natural = self.cov_params().to_numpy()
        return Covariance("bootstrap", f"{len(self)} {self.kind}", natural, theta, sandwich)

    def conf_int(self, alpha: float = 0.05, cols=None, method: str = "percentile") -> pd.DataFrame:
        """Compute intervals of level 1 - alpha.

        Parameters
        ----------
        alpha : float
        cols : str, int, or sequence of them, optional
        method : {"percentile", "basic", "studentised", "bca"}
            Quantiles of the refits; the same mirrored at the estimate; of the refits' t statistics, for which the
            bootstrap must be ``studentised``; or bias-corrected and accelerated (Efron 1987), the acceleration from
            the empirical influence values. Basic and studentised ones are computed on the real line behind the
            parameter. All stay inside its space.

        Returns
        -------
        DataFrame
            Columns ``lower`` and ``upper``.
        """
        normal_quantile(alpha)  # refuses a bad level
        if not isinstance(method, str) or method not in METHODS:
            raise ValueError(f"method: {shown(method)} is not known; give one of {', '.join(METHODS)}.")
        if len(self._good) < 2:
            raise ValueError(f"conf_int: {self.n_failed} of {len(self)} refits failed; too few are left.")
        tails = np.array([alpha / 2, 1 - alpha / 2])
        rows = getattr(self, f"_{method}")(tails)
        frame = pd.DataFrame(rows, index=self.params.columns, columns=["lower", "upper"])
        return frame.loc[chosen_names(cols, list(frame.index))]

    def _percentile(self, tails):
        return np.quantile(self._good, tails, axis=0).T

    def _linked(self):
        """Each parameter's space, estimate and refits on the real line behind it."""
        for name, space in zip(self.params.columns, self._fit.spaces, strict=True):
            yield space, space.link(self._fit.params[name]), space.link(self._good[name].to_numpy())

    def _basic(self, tails):
        return [
            space.unlink(2 * estimate - np.quantile(draws, tails[::-1])) for space, estimate, draws in self._linked()
        ]

    def _studentised(self, tails):
        if self.std_errors is None:
            raise ValueError("method: the refits have no standard errors; give bootstrap(..., studentised=True).")
        rows, errors = [], self.std_errors.loc[self._good.index]
        for (space, estimate, draws), name in zip(self._linked(), self.params.columns, strict=True):
            t = (draws - estimate) / (errors[name].to_numpy() * space.link_slope(self._good[name].to_numpy()))
            own = self._fit.bse[name] * space.link_slope(self._fit.params[name])
            rows.append(space.unlink(estimate - own * np.nanquantile(t, tails[::-1])))
        return rows

    def _bca(self, tails):
        z, rows = special.ndtri(tails), []
        for name, a in zip(self.params.columns, self._accelerations, strict=True):
            draws, estimate = self._good[name].to_numpy(), self._fit.params[name]
            below = (np.sum(draws < estimate) + np.sum(draws == estimate) / 2) / len(draws)
            z0 = special.ndtri(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws)))
            rows.append(np.quantile(draws, special.ndtr(z0 + (z0 + z) / (1 - a * (z0 + z)))))
        return rows

    @functools.cached_property
    def _accelerations(self) -> np.ndarray:
        """A sixth of the skewness of the empirical influence values, natural scale, over both samples."""
        fit = self._fit
        fit.require_law()
        model, p = fit.model, len(fit.saddle.theta)
        rows = [model.shares()[:, None] * centred(fit.estfun().to_numpy(), model.shares())]
        if model.latent == "iid" and not model.tied:
            with jax.enable_x64(True):
                simulated = np.asarray(_simulated_scores(model.game(), fit.saddle.theta, fit.saddle.alpha))
            simulated = simulated[: fit.n_simulated]
            rows.append((simulated - simulated.mean(axis=0)) / len(simulated))
        influence = np.linalg.solve(-fit.saddle.jacobian, np.concatenate(rows).T)[:p]
        values = fit.law.natural_slope @ influence
        return np.sum(values**3, axis=1) / (6 * np.sum(values**2, axis=1) ** 1.5)


def bootstrap(
    fit,
    replications: int,
    seed: int,
    kind: str,
    studentised: bool,
    threads: int | None,
    progress: bool,
) -> Bootstrap:
    """Refit a ``GANResults`` on bootstrap samples; the arguments are those of its method."""
    model, saddle = fit.model, fit.saddle
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind: {shown(kind)} is not known; give one of {', '.join(KINDS)}.")
    if isinstance(replications, bool) or not isinstance(replications, (int, np.integer)) or replications < 2:
        raise ValueError(f"replications: got {shown(replications)}; give a whole number of at least 2.")
    if not saddle.is_saddle:
        raise ValueError(f"bootstrap: the fit is not certified, since {saddle.reason}; mend that first.")
    if studentised:
        fit.require_law()
    game = model.game()
    draw = _Simulated(fit, seed) if kind == "parametric" else _Resampled(fit, game, seed, studentised)
    found = refits.refit(
        game,
        draw,
        int(replications),
        saddle.theta,
        saddle.alpha,
        scrambles=model.scrambles(),
        laws=studentised,
        threads=threads,
        progress=progress,
    )
    if not np.all(found.certified):
        from statsmodels.tools.sm_exceptions import ConvergenceWarning

        failed = int(np.sum(~found.certified))
        warnings.warn(
            f"{failed} of {replications} refits of the bootstrap failed and are left out; Bootstrap.trouble says why.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return Bootstrap(fit, found, kind, seed)


class _Resampled:
    """Bootstrap samples by resampling: changes of the game, and starts a Newton step away from the fit."""

    def __init__(self, fit, game, seed: int, as_rows: bool):
        self.fit, self.game, self.seed, self.as_rows = fit, game, seed, as_rows
        self.scores = fit.estfun().to_numpy() if fit.model.basis.is_linear else None

    def __call__(self, chunk: slice) -> refits.Changes:
        model, game = self.fit.model, self.game
        counts, fields = [], {}
        for r in range(chunk.start, chunk.stop):
            rng = np.random.default_rng([self.seed, r])
            counts.append(rng.multinomial(model.nobs, np.full(model.nobs, 1 / model.nobs)))
            for name, change in self._latents(rng).items():
                fields.setdefault(name, []).append(change)
        counts = np.array(counts)
        shares = counts * model.shares()
        shares /= shares.sum(axis=1, keepdims=True)
        padding = np.zeros((len(counts), len(game.x_weights) - model.nobs))
        weights = np.concatenate([shares, padding], axis=1)
        fields = {name: np.array(changes) for name, changes in fields.items()}
        if self.as_rows:
            fields |= self._rows(counts)
        else:
            fields["x_weights"] = weights
            if game.tied:
                fields["z_weights"] = np.repeat(weights, game.tied, axis=1) / game.tied
        return refits.Changes(fields, self._step(shares))

    def _latents(self, rng) -> dict[str, np.ndarray]:
        model = self.fit.model
        if model.tied:
            return {}
        if model.latent == "iid":
            counts = rng.multinomial(model.n_simulated, np.full(model.n_simulated, 1 / model.n_simulated))
            padding = (0, len(self.game.z_weights) - model.n_simulated)
            if self.as_rows:
                return {"z": self.game.z[np.pad(np.repeat(np.arange(model.n_simulated), counts), padding)]}
            return {"z_weights": np.pad(counts / model.n_simulated, padding)}
        g = model.generator
        z = latents.shifted(g.law, model.n_simulated, g.latent_dim, rng)
        return {"z": z[:, 0] if g.latent_dim == 1 else z}

    def _rows(self, counts) -> dict[str, np.ndarray]:
        """The same samples as rows of weights that do not count repetitions: what the sandwich of a refit takes."""
        model, game, size = self.fit.model, self.game, len(self.game.x_weights)
        rows = np.array([np.pad(np.repeat(np.arange(model.nobs), each), (0, size - model.nobs)) for each in counts])
        weights = np.pad(model.shares()[rows[:, : model.nobs]], ((0, 0), (0, size - model.nobs)))
        weights /= weights.sum(axis=1, keepdims=True)
        fields = {"x": game.x[rows], "x_weights": weights}
        if game.tied:
            tied = (rows[:, :, None] * game.tied + np.arange(game.tied)).reshape(len(rows), -1)
            fields |= {"z": game.z[tied], "z_weights": np.repeat(weights, game.tied, axis=1) / game.tied}
        return fields

    def _step(self, shares) -> np.ndarray | None:
        """Where one Newton step of the fit's own equations leads from it: (R, p + q + 1)."""
        if self.scores is None:
            return None
        moved = (shares - self.fit.model.shares()) @ self.scores
        return np.linalg.solve(-self.fit.saddle.jacobian, moved.T).T


class _Simulated:
    """Bootstrap samples from the fitted generator, with its discriminator placed anew."""

    def __init__(self, fit, seed: int):
        self.fit, self.seed = fit, seed

    def __call__(self, chunk: slice) -> refits.Changes:
        model = self.fit.model
        seeds = range(chunk.start, chunk.stop)
        x = np.stack([self._sample(np.random.default_rng([self.seed, r])) for r in seeds])
        basis = model.discriminator.place_each(x, model.shares(), [model.seed] * len(x))
        games = model.games(x, basis, model.latents_of(x, [int(s) for s in self._latent_seeds(seeds)]))
        names = ("discriminator", "x", "z")
        return refits.Changes({name: getattr(games, name) for name in names}, None, near=False)

    def _sample(self, rng) -> np.ndarray:
        """Simulate a sample; in a regression at the data's covariates."""
        model, g = self.fit.model, self.fit.generator
        z = g.law.quantile(np.maximum(rng.random((model.nobs, g.latent_dim)), 2.0**-54))
        z = np.concatenate([model.x[:, : g.covariates], z], axis=1) if g.covariates else z
        return np.asarray(refits.simulated(g, self.fit.saddle.theta, z[:, 0] if z.shape[1] == 1 else z))

    def _latent_seeds(self, replicates):
        return [np.random.default_rng([self.seed, r, 1]).integers(2**31) for r in replicates]


def centred(rows: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Take off the mean of weighted rows."""
    return rows - shares @ rows


@jax.jit
def _simulated_scores(game, theta, alpha):
    return scores(game, theta, alpha).simulated
