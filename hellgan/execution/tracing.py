"""Functions of users' own, traced: whether they are the same each time, and can be mapped and differentiated.

A function is compiled from what one call of it does. What it draws itself in that call, from NumPy's random numbers,
Python's or a clock, is a constant from then on.
"""

import random
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from hellgan.checks import first_line

# Functions that are compiled inside a user's are traced once for each setting of JAX: another one shows what a second
# trace of them gives.
_PRECISIONS = ("highest", "high")


def trouble(function: Callable, *arguments, orders: int = 0, once: bool = False) -> str:
    """Say why a function cannot be compiled for a fit; empty where it can.

    Parameters
    ----------
    function : callable
    *arguments : pytrees of ShapeDtypeStruct
        Those of one call, of floating-point numbers where the function is to be differentiated.
    orders : int
        How often it is to be differentiated, forward.
    once : bool
        Whether this is asked once, where the function is defined. Then one that seeds the global random numbers is
        found, too, for which these are seeded and put back; elsewhere other threads may be drawing.

    Returns
    -------
    str
        The predicate of a sentence.
    """
    now = getattr(jax.config, "jax_default_matmul_precision")  # noqa: B009  JAX makes it as it runs
    other = next(each for each in _PRECISIONS if each != now)
    first, second = (_traced(function, arguments, precision) for precision in (now, other))
    if not _alike(first, second) or (once and _seeds(function, arguments)):
        return (
            "draws random numbers or changes something of its own, as with numpy.random, random or a clock, which is a "
            "constant once it is compiled; take all randomness from its argument, and compute constants outside"
        )
    if not orders:
        return ""
    try:
        jax.eval_shape(jax.vmap(_derivative(function, orders)), jax.tree.map(_two, arguments))
    except Exception as error:
        return (
            f"cannot be mapped over draws and differentiated ({first_line(error)}), as a callback into Python cannot; "
            "write it with jax.numpy"
        )
    return ""


def failure(error: Exception) -> str:
    """Say what is wrong with a function that could not be traced, and the remedy: a part of a sentence."""
    if isinstance(error, jax.errors.TracerBoolConversionError):
        return (
            "it decides by a value, as if, while, and, or, max and min do, but values are known only once it is "
            "compiled; choose with jnp.where, jnp.maximum or jax.lax.while_loop"
        )
    if isinstance(error, (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError)):
        return (
            "it hands a value to a function of NumPy, SciPy or math, or to float or int, but values are known only "
            "once it is compiled; use those of jax.numpy and jax.scipy"
        )
    return f"{first_line(error).rstrip('.')}; write it with jax.numpy"


def _traced(function: Callable, arguments: tuple, precision) -> list:
    """What a function does, and with which numbers."""
    with jax.default_matmul_precision(precision):
        return list(_facts(jax.make_jaxpr(lambda *a: function(*a))(*arguments)))


def _seeds(function: Callable, arguments: tuple) -> bool:
    """Whether a function changes the state of the global random numbers."""
    kept = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        before = _global_states()
        _traced(function, arguments, None)
        return before != _global_states()
    finally:
        np.random.set_state(kept[0])  # noqa: NPY002
        random.setstate(kept[1])


def _derivative(function: Callable, orders: int) -> Callable:
    def of(arguments):
        return function(*arguments)

    for _ in range(orders):
        of = _along(of)
    return of


def _along(of: Callable) -> Callable:
    return lambda arguments: jax.jvp(of, (arguments,), (arguments,))[1]


def _two(shape):
    return jax.ShapeDtypeStruct((2, *shape.shape), shape.dtype)


def _global_states() -> tuple:
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return name, np.asarray(keys).tobytes(), *rest, random.getstate()


def _facts(closed: core.ClosedJaxpr) -> Iterator:
    """What a traced function does and with which numbers, in order."""
    yield from closed.consts
    yield from _of_equations(closed.jaxpr)


def _of_equations(jaxpr: core.Jaxpr) -> Iterator:
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        yield from (atom.val for atom in equation.invars if isinstance(atom, core.Literal))
        for value in equation.params.values():
            yield from _of_parameter(value)


def _of_parameter(value) -> Iterator:
    if isinstance(value, core.ClosedJaxpr):
        yield from _facts(value)
    elif isinstance(value, core.Jaxpr):
        yield from _of_equations(value)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _of_parameter(each)
    elif isinstance(value, (bool, int, float)):
        yield value


def _alike(first: list, second: list) -> bool:
    return len(first) == len(second) and all(map(_same, first, second))


def _same(one, other) -> bool:
    if one is other or isinstance(one, str) or isinstance(other, str):
        return one is other or one == other
    one, other = (jax.random.key_data(each) if _is_key(each) else each for each in (one, other))
    return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind in "fc")


def _is_key(value) -> bool:
    return jnp.issubdtype(getattr(value, "dtype", np.float64), jax.dtypes.prng_key)
