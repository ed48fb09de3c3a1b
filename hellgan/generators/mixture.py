"""Mixtures of normal laws on the line."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.generators.family import Generator
from hellgan.generators.inversion import mixture_quantile
from hellgan.samples.robust import quantile, robust_scale

_MOST, _FAR, _STEPS = 1000, 10.0, 200


class NormalMixture(Generator):
    """Mixture of k normal laws, in the order of their locations: ``weight`` (k,), ``loc`` (k,), ``scale`` (k,).

    A draw is the mixture's quantile function, found by Newton's method, with implicit derivatives: smooth in all
    parameters. The order is kept by the parameterisation (the first location and the logs of the gaps), so that
    estimates and standard errors are of components that cannot change places.

    Notes
    -----
    Where two components hardly overlap, next to no simulated point lies between them, and the draws tell nothing of
    how mass would pass from one to the other: their weights are then those of the start, to within a few times 1/m,
    and are reported without standard errors (``unseen``). Take such weights from the counts instead.

    The start ignores points more than ten robust scales from the median; give ``fit`` a start of your own where a
    component lies there.
    """

    k: int = eqx.field(static=True)

    def __init__(self, k: int):
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 2:
            raise ValueError(f"k: got {k!r}; give an integer of at least 2 components (Normal() is the family for 1).")
        self.k = int(k)

    @property
    def parameters(self):
        return {"weight": spaces.simplex(self.k), "loc": spaces.ordered(self.k), "scale": spaces.positive((self.k,))}

    @property
    def law(self):
        return latents.normal

    def draw(self, z, weight, loc, scale):
        return mixture_quantile(weight, loc, scale, z)

    def start(self, x, weights):
        """Fit by a penalised EM algorithm from several partitions of the sample; the most likely fit is the start."""
        spread = robust_scale(x, weights)
        t = (x - quantile(x, 0.5, weights)) / spread
        near = (weights > 0) & (np.abs(t) <= _FAR)
        t, w = t[near], weights[near] / weights[near].sum()
        pseudo = np.sum(w**2) ** 2  # 1 / n^2: the penalty 1 / n of the log likelihood's sum
        if t.size > _MOST:
            t, w = quantile(t, (np.arange(_MOST) + 0.5) / _MOST, w), np.full(_MOST, 1 / _MOST)
        found = [_em(t, w, pseudo, centers) for centers in _centers(t, w, self.k)]
        weight, loc, scale = max(found, key=lambda f: f[0])[1]
        order = np.argsort(loc)
        weight, loc, scale = np.maximum(weight[order], 1e-3), loc[order], scale[order]
        loc = loc[0] + np.concatenate([[0.0], np.cumsum(np.maximum(np.diff(loc), 1e-3))])  # equal ones are no order
        return {
            "weight": weight / weight.sum(),
            "loc": quantile(x, 0.5, weights) + spread * loc,
            "scale": spread * scale,
        }

    def unseen(self, m, weight, loc, scale):
        """Names of weights of neighbouring components whose overlap holds fewer than five of m points."""
        x = np.concatenate([mean + sd * np.linspace(-8, 8, 801) for mean, sd in zip(loc, scale, strict=True)])
        x = np.sort(x)[:, None]
        parts = weight / scale * np.exp(-0.5 * ((x - loc) / scale) ** 2) / np.sqrt(2 * np.pi)
        shared = [m * np.trapezoid(np.minimum(parts[:, j], parts[:, j + 1]), x[:, 0]) for j in range(self.k - 1)]
        alone = {i for j, count in enumerate(shared) if count < 5 for i in (j, j + 1)}
        return [f"weight_{i + 1}" for i in sorted(alone)]

    def log_density(self, x, weight, loc, scale):
        parts = jnp.log(weight) + jax.scipy.stats.norm.logpdf(x, loc, scale)
        return jax.scipy.special.logsumexp(parts)


def _centers(t, w, k):
    """Centers (k,) of three partitions: of equal probability, of equal width, and at the widest gaps."""
    low, high = quantile(t, [0.02, 0.98], w)
    x = np.sort(t)
    cuts = np.sort(x[np.sort(np.argsort(-np.diff(x), kind="stable")[: k - 1])])
    parts = np.searchsorted(cuts, x, side="left")
    return (
        quantile(t, (np.arange(k) + 0.5) / k, w),
        np.linspace(low, high, k),
        np.array([x[parts == j].mean() for j in range(k)]),
    )


def _em(t, w, pseudo, centers):
    """EM with the penalty of Chen, Tan and Zhang (2008), which keeps every scale off 0: log likelihood, parameters."""
    k = len(centers)
    variance = w @ (t - w @ t) ** 2
    weight, loc, scale = np.full(k, 1 / k), np.asarray(centers, float), np.full(k, np.sqrt(variance) / k)
    value = -np.inf
    for _ in range(_STEPS):
        log_parts = np.log(weight) - np.log(scale) - 0.5 * ((t[:, None] - loc) / scale) ** 2
        top = log_parts.max(axis=1, keepdims=True)
        parts = np.exp(log_parts - top)
        total = parts.sum(axis=1, keepdims=True)
        penalty = pseudo * np.sum(variance / scale**2 + 2 * np.log(scale))
        value = w @ (top + np.log(total))[:, 0] - penalty
        masses = w[:, None] * parts / total
        mass = np.maximum(masses.sum(axis=0), 1e-12)
        weight, loc = mass / mass.sum(), masses.T @ t / mass
        squares = np.sum(masses * (t[:, None] - loc) ** 2, axis=0)
        scale = np.sqrt((squares + 2 * pseudo * variance) / (mass + 2 * pseudo))
    return value, (weight, loc, scale)
