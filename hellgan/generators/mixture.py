"""Mixtures of normal laws on the line."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.checks import shown
from hellgan.generators.family import Generator
from hellgan.generators.inversion import mixture_quantile
from hellgan.samples.robust import quantile, robust_scale

_MOST, _FAR, _STEPS = 1000, 10.0, 200
_SHARE = 0.05  # of the sample, far off, that may be a component


class NormalMixture(Generator):
    """Mixture of k normal laws, in the order of their locations: ``weight`` (k,), ``loc`` (k,), ``scale`` (k,).

    A draw is the mixture's quantile function, found by Newton's method, with implicit derivatives. Between components
    that hardly overlap it rises so steeply that draws tell nothing of how mass passes from one to the other; in a fit
    each component is therefore simulated on its own, with draws that carry its weight: smooth in all parameters
    wherever they lie.

    The order is kept by the parameterisation (the first location and the logs of the gaps), so that
    estimates and standard errors are of components that cannot change places.

    Notes
    -----
    The start takes points more than ten robust scales from the median for a component where they are more than a
    twentieth and the others are told by k - 1 components as well as by k, and ignores them where not; give ``fit`` a
    start of your own where that is wrong.
    """

    k: int = eqx.field(static=True)

    def __init__(self, k: int):
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 2:
            raise ValueError(
                f"k: got {shown(k)}; give an integer of at least 2 components (Normal() is the family for 1)."
            )
        self.k = int(k)

    @property
    def parameters(self):
        return {"weight": spaces.simplex(self.k), "loc": spaces.ordered(self.k), "scale": spaces.positive((self.k,))}

    @property
    def law(self):
        return latents.normal

    @property
    def in_game(self):
        return MixtureParts(self)

    def draw(self, z, weight, loc, scale):
        return mixture_quantile(weight, loc, scale, z)

    def moments(self, weight, loc, scale):
        mean = weight @ loc
        return mean, weight @ (scale**2 + (loc - mean) ** 2)

    @property
    def sobol_points(self):
        return 512 * 2 ** (self.k - 1).bit_length()

    def start(self, x, weights):
        """Fit by a penalised EM algorithm from several partitions of the sample; the most likely fit is the start."""
        spread = robust_scale(x, weights)
        t = (x - quantile(x, 0.5, weights)) / spread
        near = (weights > 0) & (np.abs(t) <= _FAR)
        value, found = _best(t[near], weights[near], self.k)
        far = float(np.sum(weights[~near]))
        if far > _SHARE:
            # What is far off is a component where the rest needs one less, and contamination where it needs all.
            fewer, _ = _best(t[near], weights[near], self.k - 1)
            if value - fewer < 1.5 * np.sum(weights**2) * np.log(1 / np.sum(weights**2)):  # BIC's three parameters
                _, found = _best(t[weights > 0], weights[weights > 0], self.k)
        weight, loc, scale = found
        order = np.argsort(loc)
        weight, loc, scale = np.maximum(weight[order], 1e-3), loc[order], scale[order]
        loc = loc[0] + np.concatenate([[0.0], np.cumsum(np.maximum(np.diff(loc), 1e-3))])  # equal ones are no order
        return {
            "weight": weight / weight.sum(),
            "loc": quantile(x, 0.5, weights) + spread * loc,
            "scale": spread * scale,
        }

    def log_density(self, x, weight, loc, scale):
        parts = jnp.log(weight) + jax.scipy.stats.norm.logpdf(x, loc, scale)
        return jax.scipy.special.logsumexp(parts)


class MixtureParts(Generator):
    """A ``NormalMixture`` as a game simulates it: as many draws of each component, with its weight times k."""

    mixture: NormalMixture

    @property
    def parameters(self):
        return self.mixture.parameters

    @property
    def law(self):
        return latents.uniform

    @property
    def latent_dim(self):
        return 2

    @property
    def sobol_points(self):
        return self.mixture.sobol_points

    @property
    def is_weighted(self):
        return True

    def draw(self, u, weight, loc, scale):
        part = self._part(u)
        return jnp.asarray(loc)[part] + jnp.asarray(scale)[part] * jax.scipy.special.ndtri(u[1])

    def weight(self, u, weight, loc, scale):
        return self.mixture.k * jnp.asarray(weight)[self._part(u)]

    def _part(self, u):
        return jnp.minimum((self.mixture.k * u[0]).astype(int), self.mixture.k - 1)


def _best(t, w, k):
    """The most likely of penalised fits from several partitions: log likelihood an observation, parameters."""
    w = w / w.sum()
    pseudo = np.sum(w**2) ** 2  # 1 / n^2: the penalty 1 / n of the log likelihood's sum
    if t.size > _MOST:
        t, w = quantile(t, (np.arange(_MOST) + 0.5) / _MOST, w), np.full(_MOST, 1 / _MOST)
    return max((_em(t, w, pseudo, centers) for centers in _centers(t, w, k)), key=lambda found: found[0])


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
    variance = min(w @ (t - w @ t) ** 2, 1.0)  # in robust scales of the sample
    weight, loc, scale = np.full(k, 1 / k), np.asarray(centers, float), np.full(k, np.sqrt(w @ (t - w @ t) ** 2) / k)
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
