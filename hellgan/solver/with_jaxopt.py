"""What jaxopt does here, behind one module: quasi-Newton steps for a network, and a second route to derivatives.

jaxopt warns on import that it is no longer maintained; it is imported when it is needed, and the warning is kept from
users who cannot do anything about it.
"""

import warnings
from collections.abc import Callable

import jax
import jax.numpy as jnp


def _jaxopt():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="JAXopt is no longer maintained", category=DeprecationWarning)
        import jaxopt
        from jaxopt import implicit_diff
    return jaxopt, implicit_diff


def minimised(function: Callable, begin: jax.Array, *arguments):
    """Minimise ``function(x, *arguments)`` by L-BFGS, inside a compiled program: the minimum and the steps taken."""
    jaxopt, _ = _jaxopt()
    found = jaxopt.LBFGS(function, tol=1e-7, maxiter=500, implicit_diff=False).run(begin, *arguments)
    return found.params, found.state.iter_num


def root_derivatives(equations: Callable, u: jax.Array, weights: jax.Array) -> jax.Array:
    """Differentiate the root u (k,) of ``equations(u, weights)`` in the weights (n,): (k, n), in a compiled program.

    The derivatives are jaxopt's, by the implicit function theorem: the Jacobian that hellgan uses plays no part.
    """
    _, implicit_diff = _jaxopt()

    def solve(matvec, b):
        return jnp.linalg.solve(jax.jacfwd(matvec)(b), b)

    @implicit_diff.custom_root(equations, solve=solve)
    def solution(_, weights):
        return u  # solved already, at these weights

    return jax.jacrev(lambda weights: solution(None, weights))(weights)
