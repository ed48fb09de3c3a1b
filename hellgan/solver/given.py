"""What a user gives to a search: starting values, all of them or some, and its limits."""

import numpy as np

from hellgan.checks import shown
from hellgan.generators.family import Generator
from hellgan.parameters import natural_rows, partial_start, read_start
from hellgan.samples.sample import Sample
from hellgan.solver.certificate import Limits
from hellgan.solver.starts import matched


def starting_values(start, generator: Generator, sample: Sample, seed: int) -> np.ndarray:
    """Starting values (k, p), unconstrained scale, from those that a user gives on the natural scale.

    Where these are some of the parameters, by name, the others are the family's own at these values or, where it has
    none, are searched.
    """
    given = partial_start(start, generator)
    if given is None:
        return read_start(start, generator)[None]
    try:
        rest = generator.fix(**given)
    except ValueError as error:
        raise ValueError(f"start: {str(error).removeprefix('fix: ')}") from None
    own = rest.start(sample.squeezed, sample.weights)
    if own is not None:
        return generator.theta(**given, **own)[None]
    found = matched(rest, sample.rows, sample.weights, seed)
    return np.stack([generator.theta(**given, **_values(rest, theta)) for theta in found])


def _values(space: Generator, theta: np.ndarray) -> dict[str, np.ndarray]:
    return space.named(natural_rows(space, theta[None])[0])


def one_of(start, start_params):
    """Take starting values from ``start`` or from statsmodels' name for it."""
    if start is not None and start_params is not None:
        raise ValueError("start_params: it is another name for start; give one of the two.")
    return start_params if start is None else start


def checked_limits(tol, maxiter, disp) -> Limits:
    """Return the limits of a search, or refuse what is none."""
    if isinstance(tol, bool) or not isinstance(tol, (int, float, np.number)) or not 0 < tol < 1:
        raise ValueError(f"tol: got {shown(tol)}; give a number between 0 and 1, such as 1e-9.")
    if isinstance(maxiter, bool) or not isinstance(maxiter, (int, np.integer)) or maxiter < 1:
        raise ValueError(f"maxiter: got {shown(maxiter)}; give a positive integer.")
    if disp is not None and (not isinstance(disp, (bool, np.bool_, int, np.integer)) or disp not in (0, 1)):
        raise ValueError(f"disp: got {shown(disp)}; give True, False or None.")
    return Limits(float(tol), int(maxiter), None if disp is None else bool(disp))


def checked_reweight(reweight, basis) -> bool:
    """Return whether to fit twice; refuses that for a discriminator that is not linear."""
    if not isinstance(reweight, (bool, np.bool_)):
        raise TypeError(f"reweight: got {shown(reweight)}; give True or False.")
    if reweight and not basis.is_linear:
        raise ValueError(
            "reweight: the first fit needs a discriminator linear in its parameters, such as Sigmoids; a hidden layer "
            "has no joint law."
        )
    return bool(reweight)
