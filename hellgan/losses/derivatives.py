"""Scalar functions of the log ratio, elementwise, with two derivatives: exact, and in tables."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

Scalar = Callable[[jax.Array], jax.Array]


def derivatives(function: Scalar, v: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Evaluate a scalar function elementwise with its first two derivatives.

    Parameters
    ----------
    function : callable
        Elementwise function.
    v : array of any shape

    Returns
    -------
    value, slope, curvature : arrays of the shape of ``v``
    """
    one = jnp.ones_like(v)

    def value_and_slope(u):
        return jax.jvp(function, (u,), (one,))

    (value, slope), (_, curvature) = jax.jvp(value_and_slope, (v,), (one,))
    return value, slope, curvature


def tabulate(functions: tuple[Scalar, ...], v: np.ndarray) -> np.ndarray:
    """Value, slope and curvature of some functions, (k, 3, size of v), as NumPy in double precision.

    The program is lowered and compiled explicitly, so that this works while a fit is traced, too, whatever the caller's
    settings.
    """
    with jax.enable_x64(True):
        return np.asarray(_all_derivatives.lower(functions, v).compile()(v))


def _all_of(functions: tuple[Scalar, ...], v: jax.Array) -> jax.Array:
    return jnp.stack([jnp.stack(derivatives(f, v)) for f in functions])


_all_derivatives = jax.jit(_all_of, static_argnums=0)
