"""The integrand of a divergence, (D) of ``docs/theory.md``, as a function of the log ratio, for every loss."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from hellgan import losses
from hellgan.divergences.quadrature import in_buckets
from hellgan.execution import programs
from hellgan.losses import Loss

# The integrand (D), as F(p, q) = max(p, q) kernel(v): neither density underflows before the integrand does.


def divergence_function(loss: str | Loss) -> Callable[[ArrayLike], np.ndarray]:
    """Give the function f of the induced f-divergence ``D(P, P_theta) = integral of p_theta f(p/p_theta)``.

    Functions that differ by a multiple of r - 1 induce the same divergence; this one has f(1) = f'(1) = 0, that is
    ``f(r) = F(r, 1)`` in (D).

    Parameters
    ----------
    loss : str or Loss
        A calibrated loss.

    Returns
    -------
    callable
        Elementwise in NumPy, of r = p/p_theta >= 0.

    Raises
    ------
    ValueError
        For a loss that is not calibrated.

    Examples
    --------
    >>> import hellgan as hg
    >>> f = hg.divergences.divergence_function("hellinger")
    >>> f([0.0, 1.0, 4.0]).tolist()  # (sqrt(r) - 1)^2
    [1.0, 0.0, 1.0]
    """
    loss = calibrated(loss)

    def f(r):
        r = np.asarray(r, np.float64)
        if not np.all(r >= 0):
            raise ValueError("r: a ratio of densities is nonnegative.")
        with np.errstate(divide="ignore"):
            return (np.maximum(r, 1.0) * kernel_values(loss, np.asarray(np.log(r))))[()]

    return f


def kernel_values(loss, v):
    """Evaluate F(p, q) / max(p, q) at log ratios v, any shape; NumPy in, NumPy out."""
    return in_buckets(functools.partial(_kernel, loss), v)


@programs.program
def _kernel(loss: Loss, v):
    """F(p, q)/max(p, q) as a function of v = log p/q, infinite v included."""
    p, q = jnp.exp(jnp.minimum(v, 0.0)), jnp.exp(-jnp.maximum(v, 0.0))
    if loss.is_zero_sum:
        # A density that vanishes still counts through its limit: e^-v fake(v) -> -1 for Kullback-Leibler.
        real = _rise(loss.real, jnp.maximum(v, -_FAR))
        fake = _rise(loss.fake, jnp.minimum(v, _FAR))
        p_floor, q_floor = jnp.maximum(p, np.exp(-_FAR)), jnp.maximum(q, np.exp(-_FAR))
        return p_floor * real + q_floor * fake
    if loss.generator in _EFFECTIVE:
        return _EFFECTIVE[loss.generator](v, p, q)
    return _effective_kernel(loss.generator, v, p, q)


_FAR = 700.0


def _rise(function, v):
    """function(v) - function(0); where the function is NaN at a far v, the value at a nearer v stands in."""
    values = function(v)
    values = jnp.where(jnp.isnan(values), function(jnp.clip(v, -_FAR, _FAR)), values)
    return values - function(jnp.zeros_like(v))


def _tanh_sinh(step: float, count: int):
    """Nodes in (0, 1) by their distance from 1, and weights, of the double exponential rule."""
    t = step * np.arange(-count, count + 1)
    a = np.pi * np.sinh(t)
    near, far = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(a))
    return far, step * np.pi * np.cosh(t) * near * far


_FROM_ONE, _RULE = _tanh_sinh(0.0625, 64)


def _effective_kernel(g, v, p, q):
    """The integrand (D) for any g: t goes linearly from the larger density to the smaller one."""
    smaller = jnp.minimum(p, q)[:, None]
    t = smaller + -jnp.expm1(-jnp.abs(v))[:, None] * _FROM_ONE[None, :]
    u = jnp.where(v < 0, v, 0.0)[:, None] - jnp.log(t)
    return jnp.where(v < 0, 1.0, -1.0) * -jnp.expm1(-jnp.abs(v)) * (_rise(g, u) @ _RULE)


def _log_ns_kernel(v, p, q):
    # (p + q) log((p + q)/2p), plus what makes f'(1) = 0: Kullback-Leibler less twice Jensen-Shannon.
    log_sum = q * jax.nn.softplus(-v) + p * jax.nn.softplus(-jnp.maximum(v, -_FAR))
    return log_sum - 2 * jnp.log(2.0) * p - (1 + jnp.log(2.0)) * (q - p)


def _root_ns_kernel(v, p, q):
    return p * (np.arcsinh(1.0) - jnp.arcsinh(jnp.exp(-jnp.maximum(v, -_FAR)))) + (q - p) / np.sqrt(2.0)


def _kl_kernel(v, p, q):
    return -q * jnp.minimum(v, _FAR) - (q - p)


_EFFECTIVE = {
    losses.log_ns.generator: _log_ns_kernel,
    losses.root_ns.generator: _root_ns_kernel,
    losses.kl.generator: _kl_kernel,
}


def calibrated(loss) -> Loss:
    """Return the loss, or refuse one whose optimum is not the log density ratio."""
    loss = losses.get(loss)
    if not loss.is_calibrated:
        raise ValueError(
            f"loss: {loss.name} is not calibrated (real'(v) exp(v) + fake'(v) is not 0), so that its optimal "
            "discriminator is not the log density ratio; give a loss for which it is."
        )
    return loss
