"""The neural-net distance of two samples (Arora et al. 2017): how well small discriminators tell them apart.

Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import log_sigmoid, sigmoid

from hellgan.checks import checked_count, checked_real, checked_seed, is_one_of, numbers, shown
from hellgan.discriminators import MLP, Discriminator
from hellgan.execution import programs

_LEAST = 4  # observations of a sample, of which halves are held out
_RATE = 0.05  # of Adam at the beginning; it falls to 0 along a cosine


def _identity(v):
    return sigmoid(v)


def _log(v):
    return log_sigmoid(v)


def _sqrt(v):
    return jnp.exp(log_sigmoid(v) / 2)


# phi(D) as a function of v, where D = expit(v) and 1 - D = expit(-v)
_PHI: dict[str, Callable] = {"identity": _identity, "log": _log, "sqrt": _sqrt}


@dataclasses.dataclass(frozen=True)
class NeuralDistance:
    """A neural-net distance; made by ``neural_distance``. ``float`` gives the value.

    Attributes
    ----------
    value : float
        The largest value that was found over discriminators, on the samples by which they were found; at least 0.
    held_out : float
        The value on the halves of the samples by which the discriminators were not found: in the mean a lower bound
        of the distance of the two laws. NaN unless asked for.
    std_error : float
        Of ``held_out``.
    capacity : int
        Parameters of a discriminator.
    alpha : (q,) array
        Those of the best discriminator.
    placed : Basis or Network
        The discriminator as it lies on the pooled sample.
    """

    value: float
    held_out: float
    std_error: float
    capacity: int
    alpha: np.ndarray
    placed: Any

    def __float__(self):
        return self.value

    def discriminator(self, x) -> np.ndarray:
        """D at points (k, d), or (k,) numbers, for the best discriminator: between 0 and 1."""
        rows = _rows("x", x, 1)
        return np.asarray(1 / (1 + np.exp(-_log_ratios(self.placed, self.alpha, rows))))


def neural_distance(
    x,
    y,
    discriminator: Discriminator | None = None,
    phi: str = "identity",
    *,
    bound: float = 5.0,
    held_out: bool = True,
    starts: int = 4,
    steps: int = 400,
    seed: int = 0,
) -> NeuralDistance:
    """Compute the neural-net distance of two samples, (30), by gradient ascent from several starts.

    sup over D of mean phi(D(x)) + mean phi(1 - D(y)) - 2 phi(1/2), where D = expit(v) and v is a small network, or
    linear in features, on standardised data, all of whose parameters are within ``bound`` of 0.

    Parameters
    ----------
    x, y : (n,) or (n, d) and (m,) or (m, d) array_like
        Two samples, of at least four points each.
    discriminator : Discriminator, optional
        One of ``hg.discriminators``; ``MLP((16,))`` unless given. Its ridge is not used.
    phi : {"identity", "log", "sqrt"}
        The measuring function. ``"identity"``: sup |E D(x) - E D(y)|, at most 1.
    bound : float
        Of every parameter. What is larger can tell more apart, and generalises less.
    held_out : bool
        Whether to estimate the distance of the laws, too, by discriminators found on the other halves.
    starts, steps : int
        Ascents, and steps of each. A network's best one need not be found: the value is a lower bound of the supremum.
    seed : int
        Of the starts and of the division into halves.

    Returns
    -------
    NeuralDistance

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence.

    References
    ----------
    Arora, Ge, Liang, Ma and Zhang (2017), Generalization and equilibrium in generative adversarial nets, ICML.

    Examples
    --------
    >>> import numpy as np, hellgan as hg
    >>> x, y = np.random.default_rng(0).normal(size=(2, 500))
    >>> near, far = (hg.divergences.neural_distance(x, y + shift, starts=1) for shift in (0.0, 2.0))
    >>> near.value < 0.15, far.value > 0.6, abs(near.held_out) < 4 * near.std_error
    (True, True, True)
    """
    x, y = _rows("x", x), _rows("y", y)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"y: {y.shape[1]} coordinates, x has {x.shape[1]}; give as many.")
    discriminator = MLP((16,)) if discriminator is None else discriminator
    if not isinstance(discriminator, Discriminator):
        raise TypeError(f"discriminator: got {shown(discriminator)}; give one of hg.discriminators, as MLP((16,)).")
    if not is_one_of(phi, _PHI):
        raise ValueError(f"phi: got {shown(phi)}; give one of {', '.join(_PHI)}.")
    bound = checked_real("bound", bound, "a positive number")
    starts, steps, seed = checked_count("starts", starts), checked_count("steps", steps), checked_seed(seed)
    pooled = np.concatenate([x, y])
    each = [discriminator.place(pooled, np.full(len(pooled), 1 / len(pooled)), seed + k) for k in range(starts)]
    begin = np.stack([_begun(placed.start, bound, seed, k) for k, placed in enumerate(each)])
    shares = _shares(len(x), len(y), seed) if held_out else (np.ones((1, len(x))), np.ones((1, len(y))))
    found, values = _ascended(_PHI[phi], each[0], begin, x, y, *(_normed(each) for each in shares), bound, steps)
    best = np.argmax(values, axis=1)
    alphas = found[np.arange(len(best)), best]
    outside, error = float("nan"), float("nan")
    if held_out:
        outside, error = _held_out(_PHI[phi], each[0], alphas[1:], x, y, *(share[1:] for share in shares))
    value = max(0.0, float(values[0, best[0]]))
    return NeuralDistance(value, outside, error, begin.shape[1], alphas[0], each[0])


def _rows(name: str, values, least: int = _LEAST) -> np.ndarray:
    try:
        rows = numbers(values)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: not numeric; give finite numbers.") from None
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or not rows.size:
        raise ValueError(f"{name}: shape {np.shape(values)}; give (n,) or (n, d).")
    if not np.all(np.isfinite(rows)):
        raise ValueError(f"{name}: some are NaN or infinite; give finite numbers.")
    if len(rows) < least:
        raise ValueError(f"{name}: {len(rows)} points; give at least {least}.")
    return rows


def _begun(start: np.ndarray, bound: float, seed: int, k: int) -> np.ndarray:
    """A start within the bound; a little off, since at v = 0 a network's hidden units have no slope."""
    moved = start + 0.1 * np.random.default_rng([0xD157, seed, k]).normal(size=start.shape)
    return np.arctanh(np.clip(moved / bound, -0.9, 0.9)) * bound


def _shares(n: int, m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which points count, (3, n) and (3, m): all, one half, and the other."""
    rng, found = np.random.default_rng([0x4A1F, seed]), []
    for size in (n, m):
        half = np.zeros(size)
        half[rng.permutation(size)[: size // 2]] = 1.0
        found.append(np.stack([np.ones(size), half, 1 - half]))
    return found[0], found[1]


def _normed(shares: np.ndarray) -> np.ndarray:
    return shares / shares.sum(axis=1, keepdims=True)


def _value(phi, v_x, v_y, share_x, share_y):
    return share_x @ phi(v_x) + share_y @ phi(-v_y) - 2 * phi(jnp.zeros(()))


def _ratios(placed, alpha, rows):
    return jax.vmap(lambda row: placed.log_ratio(alpha, row))(rows)


@programs.program
def _log_ratios(placed, alpha, rows):
    return _ratios(placed, alpha, rows)


@programs.program(static_argnums=(0, 8))
def _ascended(phi, placed, begin, x, y, shares_x, shares_y, bound, steps):
    """Ascend for every division and start: parameters (k, starts, q) and values (k, starts)."""

    def value(free, share_x, share_y):
        alpha = bound * jnp.tanh(free / bound)
        return _value(phi, _ratios(placed, alpha, x), _ratios(placed, alpha, y), share_x, share_y)

    def ascent(free, share_x, share_y):
        def body(step, carry):
            free, mean, square = carry
            slope = jax.grad(value)(free, share_x, share_y)
            mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
            rate = _RATE * (1 + jnp.cos(jnp.pi * step / steps)) / 2
            direction = (mean / (1 - 0.9 ** (step + 1.0))) / (jnp.sqrt(square / (1 - 0.999 ** (step + 1.0))) + 1e-8)
            return free + rate * direction, mean, square

        free, _, _ = lax.fori_loop(0, steps, body, (free, jnp.zeros_like(free), jnp.zeros_like(free)))
        return bound * jnp.tanh(free / bound), value(free, share_x, share_y)

    each_start = jax.vmap(ascent, in_axes=(0, None, None))
    return jax.vmap(each_start, in_axes=(None, 0, 0))(begin, shares_x, shares_y)


def _held_out(phi, placed, alphas, x, y, shares_x, shares_y) -> tuple[float, float]:
    """Each half's discriminator on the other half: the mean of the two values, and its standard error."""
    values, variances = [], []
    for k, alpha in enumerate(alphas):
        parts = []
        for rows, shares, sign in ((x, shares_x, 1.0), (y, shares_y, -1.0)):
            outside = rows[shares[k] == 0]
            with jax.enable_x64(True):
                parts.append(np.asarray(phi(jnp.asarray(sign * _log_ratios(placed, alpha, outside)))))
        with jax.enable_x64(True):
            values.append(sum(float(part.mean()) for part in parts) - 2 * float(phi(jnp.zeros(()))))
        variances.append(sum(float(part.var(ddof=1)) / len(part) for part in parts))
    return float(np.mean(values)), float(np.sqrt(np.sum(variances)) / 2)
