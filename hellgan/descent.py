"""Minima of smooth functions of few variables: Newton's iteration on absolute eigenvalues, inside compiled programs."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

MOST_STEPS, MOST_HALVINGS = 100, 40
_LEAST, _LONGEST = 1e-8, 2.0  # smallest relative eigenvalue that counts; largest step, in units of the variables
_SLACK = 1e-14  # how far rounding may move the function, relative to 1 + |f|


class Minimum(NamedTuple):
    """Where an iteration ended; a stack of them has a leading axis.

    ``decrement`` is Newton's: the square root of g' |H|^-1 g.
    """

    at: jax.Array  # (p,)
    value: jax.Array
    gradient: jax.Array  # (p,)
    hessian: jax.Array  # (p, p)
    decrement: jax.Array
    steps: jax.Array


def minimised(
    function: Callable,
    begin: jax.Array,
    units: jax.Array,
    tolerance: float | jax.Array,
    hessian: Callable | None = None,
) -> Minimum:
    """Minimise a function from a point, for use in compiled programs.

    Parameters
    ----------
    function : callable
        Of (p,); NaN or infinite where it is not defined, which a step then avoids.
    begin : (p,) array
    units : (p,) array
        Changes of the variables that are alike large: steps are at most twice as long, eigenvalues are those in these
        units.
    tolerance : number
        Of Newton's decrement, at which the iteration ends.
    hessian : callable, optional
        Of (p,); the derivative of the gradient unless given.
    """

    def slopes(at):
        """Gradient and Hessian; each function is traced once, since what is compiled of them is large."""
        if hessian is not None:
            return jax.grad(function)(at), hessian(at)

        def twice(at):
            g = jax.grad(function)(at)
            return g, g

        h, g = jax.jacfwd(twice, has_aux=True)(at)
        return g, h

    def step_of(g, h):
        """Newton's step, and its decrement."""
        scaled = h * units[:, None] * units[None, :]
        finite = jnp.all(jnp.isfinite(scaled)) & jnp.all(jnp.isfinite(g))
        values, vectors = jnp.linalg.eigh(jnp.where(finite, (scaled + scaled.T) / 2, jnp.eye(len(g))))
        size = jnp.abs(values)
        size = jnp.maximum(size, _LEAST * jnp.max(size))
        along = vectors.T @ jnp.where(finite, g * units, 0.0)
        step = -(vectors @ (along / size))
        step = jnp.where(jnp.max(size) > 0, step, 0.0)
        return step * jnp.minimum(1.0, _LONGEST / jnp.maximum(jnp.max(jnp.abs(step)), 1e-300)) * units, jnp.where(
            finite, jnp.sqrt(jnp.sum(along**2 / jnp.maximum(size, 1e-300))), jnp.inf
        )

    def body(state):
        at, value, g, _, step, _, steps, _ = state
        slope = g @ step

        def worse(trial):
            halvings, found = trial
            good = found <= value + 1e-4 * slope * 0.5**halvings + _SLACK * (1 + jnp.abs(value))
            return ~good & (halvings < MOST_HALVINGS)

        def halved(trial):
            return trial[0] + 1, function(at + step * 0.5 ** (trial[0] + 1.0))

        halvings, found = lax.while_loop(worse, halved, (jnp.asarray(-1), jnp.full_like(value, jnp.nan)))
        better = halvings < MOST_HALVINGS
        at = jnp.where(better, at + step * 0.5 ** (1.0 * halvings), at)
        value = jnp.where(better, found, value)
        g, h = slopes(at)
        step, decrement = step_of(g, h)
        return at, value, g, h, step, decrement, steps + 1, better

    def unfinished(state):
        return state[7] & (state[5] > tolerance) & (state[6] < MOST_STEPS) & ~jnp.isnan(state[1])

    # The first round goes nowhere: it computes where the search begins.
    zero, far = jnp.zeros_like(begin), jnp.asarray(1e300, begin.dtype)
    state = (begin, far, zero, jnp.diag(zero), zero, jnp.full_like(far, jnp.inf), jnp.asarray(-1), jnp.asarray(True))
    at, value, g, h, _, decrement, steps, _ = lax.while_loop(unfinished, body, state)
    return Minimum(at, value, g, h, decrement, steps)
