"""Families in several dimensions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.generators.family import Generator
from hellgan.generators.heavy_tailed import start_of_df, t_scale
from hellgan.generators.inversion import log_gamma_quantile
from hellgan.generators.location_scale import checked_df
from hellgan.generators.special import log_gamma
from hellgan.samples.robust import deviation, quantile, robust_scale


class MultivariateNormal(Generator):
    """Normal law in d dimensions, reported as locations, scales and correlations."""

    d: int = eqx.field(static=True)

    def __init__(self, d: int):
        self.d = _checked_dimension(d, "Normal()")

    @property
    def parameters(self):
        shape = (self.d,)
        return {"loc": spaces.real(shape), "scale": spaces.positive(shape), "corr": spaces.correlation(self.d)}

    @property
    def law(self):
        return latents.normal

    @property
    def latent_dim(self):
        return self.d

    @property
    def dim(self):
        return self.d

    def draw(self, z, loc, scale, corr):
        return loc + scale * (_correlation_factor(corr, self.d) @ z)

    def start(self, x, weights):
        scale = np.array([robust_scale(column, weights) for column in x.T])
        return {"loc": _medians(x, weights), "scale": scale, "corr": _robust_correlations(x / scale, weights)}

    def log_density(self, x, loc, scale, corr):
        distance, log_det = _mahalanobis(x, loc, scale, corr)
        return -0.5 * (distance + self.d * jnp.log(2 * jnp.pi)) - log_det


class MultivariateStudentT(Generator):
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

    d: int = eqx.field(static=True)
    df: float | None = eqx.field(static=True)

    def __init__(self, d: int, df: float | None = None):
        self.d = _checked_dimension(d, "StudentT()")
        self.df = None if df is None else checked_df(df)

    @property
    def parameters(self):
        shape = (self.d,)
        rest = {"loc": spaces.real(shape), "scale": spaces.positive(shape), "corr": spaces.correlation(self.d)}
        return {"df": spaces.positive(), **rest} if self.df is None else rest

    @property
    def law(self):
        return latents.normal

    @property
    def latent_dim(self):
        return self.d + 1

    @property
    def dim(self):
        return self.d

    def draw(self, z, /, loc, scale, corr, df=None):
        half = self._df(df, z) / 2
        # The last coordinate makes the chi-square, 2 x gamma(df / 2).
        stretch = jnp.sqrt(half) * jnp.exp(-0.5 * log_gamma_quantile(half, z[self.d]))
        return loc + scale * stretch * (_correlation_factor(corr, self.d) @ z[: self.d])

    def _df(self, df, like):
        return jnp.asarray(self.df if df is None else df, like.dtype)

    def start(self, x, weights):
        df = float(np.median([start_of_df(column, weights) for column in x.T])) if self.df is None else self.df
        scale = np.array([t_scale(column, weights, df) for column in x.T])
        start = {"loc": _medians(x, weights), "scale": scale, "corr": _robust_correlations(x / scale, weights)}
        return {"df": df, **start} if self.df is None else start

    def log_density(self, x, /, loc, scale, corr, df=None):
        df = self._df(df, x)
        distance, log_det = _mahalanobis(x, loc, scale, corr)
        constant = log_gamma((df + self.d) / 2) - log_gamma(df / 2) - 0.5 * self.d * jnp.log(jnp.pi * df)
        return constant - 0.5 * (df + self.d) * jnp.log1p(distance / df) - log_det


def _checked_dimension(d, univariate):
    if isinstance(d, bool) or not isinstance(d, (int, np.integer)) or d < 2:
        raise ValueError(f"d: got {d!r}; give an integer dimension of at least 2 ({univariate} is the family for 1).")
    return int(d)


def _medians(x, weights):
    return np.array([quantile(column, 0.5, weights) for column in x.T])


def _robust_correlations(t, weights):
    """Correlations of standardised columns, below the diagonal, of a matrix that is positive definite."""
    d = t.shape[1]
    corr = np.eye(d)
    for i in range(d):
        for j in range(i):
            # Gnanadesikan and Kettenring (1972): a correlation from two robust scales.
            plus, minus = (deviation(t[:, i] + sign * t[:, j], weights) ** 2 for sign in (1, -1))
            # Both are 0 where more than half of the rows are equal.
            corr[i, j] = corr[j, i] = (plus - minus) / (plus + minus) if plus + minus > 0 else 0.0
    values, vectors = np.linalg.eigh(corr)
    corr = (vectors * np.maximum(values, 0.05)) @ vectors.T
    corr = corr / np.sqrt(np.outer(np.diag(corr), np.diag(corr)))
    return corr[np.tril_indices(d, -1)]


def _mahalanobis(x, loc, scale, corr):
    """Squared distance from loc, and half the log determinant of the shape matrix."""
    factor = _correlation_factor(corr, x.shape[0])
    whitened = jax.scipy.linalg.solve_triangular(factor, (x - loc) / scale, lower=True)
    return whitened @ whitened, jnp.sum(jnp.log(scale)) + jnp.sum(jnp.log(jnp.diag(factor)))


def _correlation_factor(corr, d):
    matrix = jnp.zeros((d, d), corr.dtype).at[np.tril_indices(d, -1)].set(corr)
    return jnp.linalg.cholesky(matrix + matrix.T + jnp.eye(d, dtype=corr.dtype))
