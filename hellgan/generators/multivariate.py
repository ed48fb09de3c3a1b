"""Families in several dimensions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.checks import shown
from hellgan.generators.family import Generator
from hellgan.generators.inversion import log_gamma_quantile
from hellgan.generators.location_scale import checked_df
from hellgan.generators.special import log_gamma
from hellgan.samples.bulk import bulk
from hellgan.samples.robust import quantile


class Elliptical(Generator):
    """A law in d dimensions with locations, scales and correlations, made of normal numbers; abstract."""

    d: int = eqx.field(static=True)

    @property
    def parameters(self):
        shape = (self.d,)
        return {"loc": spaces.real(shape), "scale": spaces.positive(shape), "corr": spaces.correlation(self.d)}

    @property
    def law(self):
        return latents.normal

    @property
    def dim(self):
        return self.d

    @property
    def sobol_points(self):
        return _sobol_points(self.d)

    @property
    def is_elliptical(self):
        return True


class MultivariateNormal(Elliptical):
    """Normal law in d dimensions, reported as locations, scales and correlations."""

    def __init__(self, d: int):
        self.d = _checked_dimension(d, "Normal()")

    @property
    def latent_dim(self):
        return self.d

    def draw(self, z, loc, scale, corr):
        return loc + scale * (_correlation_factor(corr, self.d) @ z)

    def start(self, x, weights):
        found = bulk(x, weights)
        scale = np.sqrt(np.diag(found.scatter))
        return {"loc": found.center, "scale": scale, "corr": _correlations(found.scatter)}

    def log_density(self, x, loc, scale, corr):
        distance, log_det = _mahalanobis(x, loc, scale, corr)
        return -0.5 * (distance + self.d * jnp.log(2 * jnp.pi)) - log_det


class MultivariateStudentT(Elliptical):
    """Student's t law in d dimensions: a normal vector over the root of one independent chi-square / df.

    Parameters
    ----------
    d : int
    df : float, optional
        Degrees of freedom, held at that value; estimated unless given, and then the first parameter.

    Notes
    -----
    ``scale`` and ``corr`` make scipy's ``shape`` matrix of ``multivariate_t``: standard deviations are
    scale x sqrt(df / (df - 2)) where df > 2, and correlations are ``corr``.
    """

    df: float | None = eqx.field(static=True)

    def __init__(self, d: int, df: float | None = None):
        self.d = _checked_dimension(d, "StudentT()")
        self.df = None if df is None else checked_df(df)

    @property
    def parameters(self):
        return {"df": spaces.positive(), **super().parameters} if self.df is None else super().parameters

    @property
    def latent_dim(self):
        return self.d + 1

    def draw(self, z, /, loc, scale, corr, df=None):
        half = self._df(df, z) / 2
        # The last coordinate makes the chi-square, 2 x gamma(df / 2).
        stretch = jnp.sqrt(half) * jnp.exp(-0.5 * log_gamma_quantile(half, z[self.d]))
        return loc + scale * stretch * (_correlation_factor(corr, self.d) @ z[: self.d])

    def _df(self, df, like):
        return jnp.asarray(self.df if df is None else df, like.dtype)

    def start(self, x, weights):
        found = bulk(x, weights)
        factor = np.linalg.cholesky(found.scatter)
        distances = np.sum(np.linalg.solve(factor, (x - found.center).T) ** 2, axis=0) / self.d
        low, middle, high = np.maximum(quantile(distances, _LEVELS, weights), 1e-6)  # 0 where rows are tied
        df = _start_of_df(high / low, self.d) if self.df is None else self.df
        scale = np.sqrt(np.diag(found.scatter) * middle / special.fdtri(self.d, df, _WITHIN * _LEVELS[1]))
        start = {"loc": found.center, "scale": scale, "corr": _correlations(found.scatter)}
        return {"df": df, **start} if self.df is None else start

    def log_density(self, x, /, loc, scale, corr, df=None):
        df = self._df(df, x)
        distance, log_det = _mahalanobis(x, loc, scale, corr)
        constant = log_gamma((df + self.d) / 2) - log_gamma(df / 2) - 0.5 * self.d * jnp.log(jnp.pi * df)
        return constant - 0.5 * (df + self.d) * jnp.log1p(distance / df) - log_det


def _checked_dimension(d, univariate):
    if isinstance(d, bool) or not isinstance(d, (int, np.integer)) or d < 2:
        raise ValueError(
            f"d: got {shown(d)}; give an integer dimension of at least 2 ({univariate} is the family for 1)."
        )
    return int(d)


# Levels at which squared distances from the bulk are looked at, and those of the bulk itself over them: at most a fifth
# of the sample, taken to be a tenth, lies further away.
_LEVELS = np.array([0.2, 0.4, 0.6])
_WITHIN = 1 / 0.9


def _start_of_df(ratio: float, d: int) -> float:
    """Degrees of freedom at which two quantiles of the F law of squared distances, over d, have this ratio."""
    df = np.geomspace(1.0, 30.0, 40)
    ratios = special.fdtri(d, df, _WITHIN * _LEVELS[2]) / special.fdtri(d, df, _WITHIN * _LEVELS[0])
    return float(df[np.argmin(np.abs(np.log(ratios / ratio)))])


def _sobol_points(d: int) -> int:
    """Points enough that the simulation's noise in d (d + 1) / 2 products stays small beside that of the data."""
    return 1024 if d <= 10 else 4096


def _correlations(scatter: np.ndarray) -> np.ndarray:
    """Correlations, below the diagonal, of a scatter matrix."""
    scale = np.sqrt(np.diag(scatter))
    return (scatter / np.outer(scale, scale))[np.tril_indices(len(scale), -1)]


def _mahalanobis(x, loc, scale, corr):
    """Squared distance from loc, and half the log determinant of the shape matrix."""
    factor = _correlation_factor(corr, x.shape[0])
    whitened = jax.scipy.linalg.solve_triangular(factor, (x - loc) / scale, lower=True)
    return whitened @ whitened, jnp.sum(jnp.log(scale)) + jnp.sum(jnp.log(jnp.diag(factor)))


def _correlation_factor(corr, d):
    matrix = jnp.zeros((d, d), corr.dtype).at[np.tril_indices(d, -1)].set(corr)
    return jnp.linalg.cholesky(matrix + matrix.T + jnp.eye(d, dtype=corr.dtype))
