"""Families with tails and skewness of their own: Student's t with estimated degrees of freedom, g-and-k, stable."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.checks import shown
from hellgan.generators.family import Generator
from hellgan.generators.inversion import t_quantile
from hellgan.generators.special import expm1_ratio, sinc
from hellgan.samples.robust import MAD, quantile, robust_scale

_QUARTILE, _OCTILE = 0.6744897501960817, 1.1503493803760083  # Phi^-1(3/4), Phi^-1(7/8)


def start_of_df(x: np.ndarray, weights: np.ndarray) -> float:
    """Guess the degrees of freedom of a t law from octiles over quartiles, between 1/2 and 30.

    Of the two halves of the sample the one with the lighter tail decides, so that gross errors on one side do not.
    """
    from scipy.special import stdtrit

    grid = np.geomspace(0.5, 30, 60)
    ratios = stdtrit(grid, 7 / 8) / stdtrit(grid, 3 / 4)  # 4.5 to 1.72
    return float(np.interp(-min(_tail_ratios(x, weights)), -ratios, grid))


def t_scale(x: np.ndarray, weights: np.ndarray, df: float) -> float:
    """Scale of a t law by the median absolute deviation."""
    from scipy.special import stdtrit

    return robust_scale(x, weights) / (MAD * stdtrit(df, 3 / 4))


def _tail_ratios(x, weights):
    """(octile - median) / (quartile - median), in the lower and in the upper half; infinite where that is 0."""
    low, lower, middle, upper, high = quantile(x, np.array([1, 2, 4, 6, 7]) / 8, weights)
    halves = ((middle - low, middle - lower), (high - middle, upper - middle))
    return [far / near if near > 0 else np.inf for far, near in halves]


class StudentTWithDf(Generator):
    """Student's t law whose degrees of freedom are estimated; made by ``StudentT()``."""

    @property
    def parameters(self):
        return {"df": spaces.positive(), "loc": spaces.real(), "scale": spaces.positive()}

    @property
    def law(self):
        return latents.normal

    @property
    def edges(self):
        return {"df": "the normal law"}

    @property
    def name(self):
        return "StudentT"

    def draw(self, z, df, loc, scale):
        return loc + scale * t_quantile(df, z)

    def start(self, x, weights):
        df = start_of_df(x, weights)
        return {"df": df, "loc": quantile(x, 0.5, weights), "scale": t_scale(x, weights, df)}

    def log_density(self, x, df, loc, scale):
        return jax.scipy.stats.t.logpdf(x, df, loc, scale)

    def moments(self, df, loc, scale):
        mean, variance = t_moments(df)
        return loc + mean, scale**2 * variance


def t_moments(df):
    """Mean and variance of Student's t law; NaN and infinite where they are not defined."""
    finite = df / jnp.where(df > 2, df - 2, 1.0)
    return jnp.where(df > 1, 0.0, jnp.nan), jnp.where(df > 2, finite, jnp.where(df > 1, jnp.inf, jnp.nan))


class GAndK(Generator):
    """The g-and-k law of Haynes, MacGillivray and Mengersen (1997): a normal quantile bent by skewness and tails.

    x = a + b (1 + c tanh(g z / 2)) (1 + z^2)^k z,  z standard normal, c = 0.8.

    ``a`` is the median and ``b`` > 0 the scale; ``g`` is skewness (0: symmetric) and ``k`` > -1/2 the weight of the
    tails (0: normal ones; below 0 lighter). The density has no closed form. Where |g| is large, tanh is flat and g is
    hardly identified; hold it with ``fix`` then.
    """

    C = 0.8

    @property
    def parameters(self):
        return {"a": spaces.real(), "b": spaces.positive(), "g": spaces.real(), "k": spaces.above(-0.5)}

    @property
    def law(self):
        return latents.normal

    def draw(self, z, a, b, g, k):
        return a + b * (1 + self.C * jnp.tanh(g * z / 2)) * (1 + z * z) ** k * z

    def start(self, x, weights):
        lower, median, upper = quantile(x, np.array([1, 2, 3]) / 4, weights)
        spread = upper - lower if upper > lower else 2 * _QUARTILE * robust_scale(x, weights)
        skewness = np.clip((upper + lower - 2 * median) / (self.C * spread), -0.8, 0.8)
        g = 2 * np.arctanh(skewness) / _QUARTILE
        # Given g, the octile over the quartile of either half tells k; gross errors on one side spare the other half.
        bends = [1 + side * self.C * np.tanh(g * np.array([_OCTILE, _QUARTILE]) / 2) for side in (-1, 1)]
        normal = [_OCTILE / _QUARTILE * bend[0] / bend[1] for bend in bends]
        ratio = min(found / known for found, known in zip(_tail_ratios(x, weights), normal, strict=True))
        k = np.log(max(ratio, 0.1)) / np.log((1 + _OCTILE**2) / (1 + _QUARTILE**2))
        k = float(np.clip(k, -0.25, 1.0))
        return {"a": median, "b": spread / (2 * _QUARTILE * (1 + _QUARTILE**2) ** k), "g": float(g), "k": k}


class AlphaStable(Generator):
    """Stable law of index ``alpha``, skewness ``beta``, ``scale`` and ``loc``, by Chambers, Mallows and Stuck (1976).

    Parameters
    ----------
    parameterization : {"S1", "S0"}
        Nolan's (2020) names, which scipy's ``levy_stable`` uses too; they differ in what ``loc`` is:
        loc(S0) = loc(S1) + beta tan(pi alpha / 2) scale. In S1, scipy's default, ``loc`` is the mean if alpha > 1; it
        has a pole at alpha = 1 unless beta = 0, so that a fit stays on the side of its start. S0 is continuous in
        all parameters: take it where alpha may be near 1.

    Notes
    -----
    ``alpha`` lies in (0.1, 2): below, draws overflow. The draw is computed in S0 with sin(eps v) / eps and
    (e^(eps y) - 1) / eps, eps = 1 - alpha, as entire functions of eps, so that it and its derivatives pass alpha = 1
    without loss. As alpha -> 2 (normal law) ``beta`` ceases to matter and is not identified: hold it with ``fix``.
    """

    parameterization: str = eqx.field(static=True)

    def __init__(self, parameterization: str = "S1"):
        if not isinstance(parameterization, str) or parameterization not in ("S0", "S1"):
            raise ValueError(f"parameterization: {shown(parameterization)} is not known; give 'S0' or 'S1'.")
        self.parameterization = parameterization

    @property
    def parameters(self):
        return {
            "alpha": spaces.interval(0.1, 2),
            "beta": spaces.interval(-1, 1),
            "scale": spaces.positive(),
            "loc": spaces.real(),
        }

    @property
    def law(self):
        return latents.uniform

    @property
    def latent_dim(self):
        return 2

    # With 1,024 points the noise in the tails costs the index a tenth of its standard error, with 4,096 little.
    @property
    def edges(self):
        return {"alpha": "the normal law, which has no beta"}

    @property
    def sobol_points(self):
        return 4096

    def draw(self, z, alpha, beta, scale, loc):
        return loc + scale * (_stable(alpha, beta, z) + self._shift(alpha, beta))

    def moments(self, alpha, beta, scale, loc):
        shift = beta * jnp.tan(jnp.pi * alpha / 2) if self.parameterization == "S0" else 0.0
        return jnp.where(alpha > 1, loc - scale * shift, jnp.nan), jnp.where(alpha > 1, jnp.inf, jnp.nan)

    def _shift(self, alpha, beta):
        return 0.0 if self.parameterization == "S0" else beta * jnp.tan(jnp.pi * alpha / 2)

    def start(self, x, weights):
        # McCulloch's (1986) idea, quantile ratios looked up in a table, but each quantile with a bounded say.
        spread = robust_scale(x, weights)
        sample = quantile(x, _LEVELS, weights) / spread
        table = _stable_table()
        width = np.subtract(*quantile(x, [0.75, 0.25], weights)) / spread or 2 * _QUARTILE
        scales = width / np.subtract(table[:, _UPPER], table[:, _LOWER])
        locs = sample[_MIDDLE] - scales * table[:, _MIDDLE]
        gaps = (sample - locs[:, None]) / scales[:, None] - table
        # Near alpha = 2 the quantiles hardly depend on beta: a start with beta far from 0 is penalised.
        best = int(np.argmin(np.sum(gaps**2 / (1 + gaps**2), axis=1) + 0.05 * _SHAPES[:, 1] ** 2))
        (alpha, beta), scale, loc = _SHAPES[best], spread * scales[best], spread * locs[best]
        if self.parameterization == "S1":
            loc -= beta * np.tan(np.pi * alpha / 2) * scale
        return {"alpha": float(alpha), "beta": float(beta), "scale": float(scale), "loc": float(loc)}


_LEVELS = np.arange(1, 20) / 20
_LOWER, _MIDDLE, _UPPER = 4, 9, 14  # quartiles and median among them
_ALPHAS = (0.6, 0.75, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9)  # not 1, where S1 has no loc
_SHAPES = np.array([(alpha, beta) for alpha in _ALPHAS for beta in (0.0, -0.25, 0.25, -0.5, 0.5, -0.75, 0.75)])


@functools.cache
def _stable_table() -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(_stable_quantiles(latents.draw("sobol", latents.uniform, 2048, 2, 0)[0]))


@jax.jit
def _stable_quantiles(u):
    """Quantiles of each stable law of the grid at the levels, (shapes, levels), by simulation."""
    draws = jax.vmap(lambda shape: jax.vmap(lambda row: _stable(shape[0], shape[1], row))(u))(jnp.asarray(_SHAPES))
    return jnp.quantile(draws, jnp.asarray(_LEVELS), axis=1).T


def _stable(alpha, beta, u):
    """Standard stable draw in S0 from two uniform numbers: an angle and an exponential waiting time."""
    v, w = jnp.pi * (u[0] - 0.5), -jnp.log(u[1])
    eps = 1 - alpha
    skew = beta * (2 / jnp.pi) * jnp.cos(jnp.pi * eps / 2) / sinc(jnp.pi * eps / 2)  # beta eps tan(pi alpha / 2)
    tan, cos = jnp.tan(v), jnp.cos(eps * v)
    sin = v * sinc(eps * v)  # sin(eps v) / eps
    bend = 0.5 * eps * (v * sinc(eps * v / 2)) ** 2  # (1 - cos(eps v)) / eps
    straight = tan * cos - eps * sin  # sin(alpha v) / cos(v)
    # S1 draws (S) A^(eps / alpha), S = (sin(alpha v) + beta tan(pi alpha / 2) cos(alpha v)) / cos(v).
    centred = straight + skew * (tan * sin - bend)  # S - beta tan(pi alpha / 2)
    tilted = eps * straight + skew * (cos + eps * tan * sin)  # eps S
    log_a = jnp.log((cos + skew * sin) / (w * jnp.cos(v))) / alpha
    return centred + tilted * log_a * expm1_ratio(eps * log_a)
